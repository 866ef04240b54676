package prefs_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// What 25f7307 stored for each mailbox, and after it what 0.4.0 had stored in MongoDB before.
var (
	of25f7307 = map[string]int64{"kunde@": 4 | 8, "zwei@": 2, "drei@": 16, "vier@": 1}
	of040     = map[string]int64{"kunde@": 64 | 128}
)

// onStoresOf25f7307 runs a test on what 25f7307 left, with the flags that each mailbox must have.
func onStoresOf25f7307(t *testing.T, test func(t *testing.T, s prefs.Store, want map[string]int64)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, storetest.SQLiteOf25f7307(t)), maps.Clone(of25f7307))
	})
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		test(t, reopened(t, documentsIn(t, "testdata/emails-25f7307.json")...), maps.Clone(of25f7307))
	})
	t.Run("mongo with 0.4.0", func(t *testing.T) {
		t.Parallel()
		documents := append(documentsOf040(t), documentsIn(t, "testdata/emails-25f7307.json")...)
		want := maps.Clone(of25f7307)
		for mailbox, flags := range of040 {
			want[mailbox] |= flags
		}
		test(t, reopened(t, documents...), want)
	})
}

var domains = []string{"bücher.example", "xn--bcher-kva.example", "BÜCHER.Example", "bu\u0308cher.example"}

func wantInAnySpelling(t *testing.T, s prefs.Store, want map[string]int64) {
	t.Helper()
	for mailbox, flags := range want {
		for _, domain := range domains {
			wantFlags(t, s, mailbox+domain, flags)
			wantFlags(t, s, "Other@example.com", 0)
		}
	}
}

func TestSpellingsStoredBefore25f7307AreMergedWhole(t *testing.T) {
	onStoresOf25f7307(t, func(t *testing.T, s prefs.Store, want map[string]int64) {
		wantInAnySpelling(t, s, want)
		wantFlags(t, s, "ANN@example.com", 6)
		wantFlags(t, s, "jose\u0301@example.com", 32)
		wantFlags(t, s, "JOSÉ@example.com", 32)
		about, err := s.About(t.Context(), "kunde@xn--bcher-kva.example")
		if err != nil || len(about.SpamReports) != 1 || len(about.Bounces) < 2 {
			t.Errorf("of kunde: %+v, %v; want the bounces of both spellings, and the spam report", about, err)
		}
	})
}

// TestMergedSpellingsYieldToLaterWords, in whichever spelling these come, and not to a repetition.
func TestMergedSpellingsYieldToLaterWords(t *testing.T) {
	for i, domain := range domains {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			onStoresOf25f7307(t, func(t *testing.T, s prefs.Store, want map[string]int64) {
				record(t, s, out("zwei@"+domain, 32, time.Now()))
				want["zwei@"] |= 32
				wantInAnySpelling(t, s, want)
				setFlags(t, s, "kunde@"+domain, 16, time.Now())
				want["kunde@"] = 16
				wantInAnySpelling(t, s, want)
				setFlags(t, s, "kunde@"+domain, 1, time.Now())
				want["kunde@"] = 1
				wantInAnySpelling(t, s, want)
				move(t, s, "drei@"+domain, "neu@"+domain)
				want["neu@"] = 16
				wantInAnySpelling(t, s, want)
			})
		})
	}
}

// TestOlderProcessesFindOptOuts: a 25f7307 that runs beside us, or that somebody goes back to, looks under the address in
// lower case.
func TestOlderProcessesFindOptOuts(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		want := func(address string, flags int64) {
			t.Helper()
			if got, err := prefs.FlagsFor25f7307(t.Context(), s, address); err != nil || got != flags {
				t.Errorf("25f7307 reads %d of %+q, %v; want %d", got, address, err, flags)
			}
		}
		record(t, s, out("A@xn--bcher-kva.example", 4, noon))
		want("a@xn--bcher-kva.example", 4)
		want("A@bücher.example", 4)
		setFlags(t, s, "a@bu\u0308cher.example", 6, noon)
		want("a@bu\u0308cher.example", 6)
		want("a@xn--bcher-kva.example", 6)
		move(t, s, "a@xn--bcher-kva.example", "B@BÜCHER.example")
		want("b@bücher.example", 6)
		setFlags(t, s, "a@xn--bcher-kva.example", 1, noon.Add(time.Hour))
		want("a@bücher.example", 1)
		want("a@bu\u0308cher.example", 1)
	})
}

// TestWordsOfOlderProcessesBesideUsCount, under the key and under other spellings, and end nothing that is not clearly before.
func TestWordsOfOlderProcessesBesideUsCount(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		for i, address := range []string{"a@bücher.example", "a@xn--bcher-kva.example", "a@example.com"} {
			at := noon.Add(time.Duration(i) * time.Hour)
			move(t, s, address, "also@example.com")
			setFlags(t, s, address, 1, at)
			if err := prefs.SetFlagsAs25f7307(t.Context(), s, address, 8, at.Add(5*time.Minute)); err != nil {
				t.Fatal(err)
			}
			wantFlags(t, s, address, 8)
			record(t, s, out(address, 4, at))
			wantFlags(t, s, address, 4|8)
			wantFlags(t, s, "also@example.com", 4) // Move's mark is still there
			if len(job.Spellings(address)) == 1 {  // there is no other document to doubt it
				record(t, s, out(address, 16, at.Add(-time.Hour)))
				wantFlags(t, s, address, 4|8)
			}
			setFlags(t, s, address, 1, at.Add(10*time.Minute))
			wantFlags(t, s, address, 1)
			setFlags(t, s, "also@example.com", 1, at.Add(10*time.Minute))
		}
	})
}
