package prefs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// noon is a time that SendGrid could have given: to the second.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// onEachStore runs a test on both stores.
func onEachStore(t *testing.T, test func(t *testing.T, s prefs.Store)) {
	storetest.OnEach(t, func(t *testing.T, s *store.Stores) { test(t, s.Prefs) })
}

func open(tb testing.TB, cfg store.Config) prefs.Store {
	tb.Helper()
	return storetest.Open(tb, cfg).Prefs
}

func setFlags(t *testing.T, s prefs.Store, address string, flags int64, at time.Time) {
	t.Helper()
	if err := s.SetFlags(t.Context(), address, flags, at); err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, s prefs.Store, incidents ...prefs.Incident) {
	t.Helper()
	if _, err := s.Record(t.Context(), incidents); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, s prefs.Store, from, to string) {
	t.Helper()
	if err := s.Move(t.Context(), from, to, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// wantFlags checks an address's flags; 0 is that none are stored.
func wantFlags(t *testing.T, s prefs.Store, address string, want int64) {
	t.Helper()
	got, err := s.Flags(t.Context(), []string{"other@example.com", address})
	if err != nil {
		t.Fatal(err)
	}
	if flags, ok := got[address]; flags != want || ok != (want != 0) {
		t.Errorf("flags of %s = %v, want %d", address, got, want)
	}
}

func out(address string, flags int64, at time.Time) prefs.Incident {
	return prefs.Incident{Address: address, Kind: prefs.OptOut, At: at, Flags: flags}
}

func in(address string, flags int64, at time.Time) prefs.Incident {
	return prefs.Incident{Address: address, Kind: prefs.OptIn, At: at, Flags: flags}
}

func TestAddressesAreOneInAnyLetterCase(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		wantFlags(t, s, "Ann@Example.com", 0)
		setFlags(t, s, "Ann@Example.com", 4, noon)
		wantFlags(t, s, "ann@example.com", 4)
		record(t, s, out("ANN@EXAMPLE.COM", 8, noon))
		wantFlags(t, s, "Ann@Example.com", 12)
		setFlags(t, s, "ann@example.COM", 1, noon.Add(time.Minute))
		wantFlags(t, s, "Ann@Example.com", 1)
	})
}

func TestManyAddressesAreAnsweredAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		var incidents []prefs.Incident
		var addresses []string
		for i := range 1200 {
			addresses = append(addresses, fmt.Sprintf("a%d@example.com", i))
			incidents = append(incidents, out(addresses[i], 2<<(i%40), noon))
		}
		record(t, s, incidents...)
		got, err := s.Flags(t.Context(), addresses)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range addresses {
			if want := int64(2) << (i % 40); got[a] != want {
				t.Fatalf("flags of %s = %d, want %d", a, got[a], want)
			}
		}
		if got, err := s.Flags(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("flags of nobody = %v, %v; want none", got, err)
		}
	})
}

func TestFlagsAreStoredToTheLetter(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		for _, flags := range []int64{1, 2, 3, 1 << 62, -1 << 63, -1} {
			setFlags(t, s, "a@example.com", flags, noon)
			wantFlags(t, s, "a@example.com", flags)
		}
	})
}

func TestOwnWordStandsAgainstOldOptOutsOnly(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		const a = "a@example.com"
		old := out(a, 4, noon.Add(-time.Minute))
		record(t, s, old)
		wantFlags(t, s, a, 4)
		setFlags(t, s, a, 1, noon)
		record(t, s, old) // SendGrid repeats itself for a day
		wantFlags(t, s, a, 1)
		record(t, s, out(a, 8, noon.Add(time.Second)))
		wantFlags(t, s, a, 8)
		record(t, s, in(a, 8, noon.Add(2*time.Second)))
		wantFlags(t, s, a, 1)
	})
}

func TestOwnWordWithinTheSameSecondWinsByArrival(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		const a = "a@example.com"
		unsubscribed := out(a, 4, noon)
		record(t, s, unsubscribed)
		setFlags(t, s, a, 1, noon.Add(300*time.Millisecond))
		wantFlags(t, s, a, 1)
		record(t, s, unsubscribed)
		wantFlags(t, s, a, 1)

		const b = "b@example.com"
		setFlags(t, s, b, 4, noon.Add(100*time.Millisecond))
		setFlags(t, s, b, 1, noon.Add(300*time.Millisecond))
		wantFlags(t, s, b, 1)
		record(t, s, out(b, 4, noon)) // may well have been at .9
		wantFlags(t, s, b, 4)
	})
}

func TestOptOutWinsATie(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		record(t, s, out("a@example.com", 4, noon), in("a@example.com", 4, noon))
		record(t, s, in("b@example.com", 4, noon), out("b@example.com", 4, noon))
		wantFlags(t, s, "a@example.com", 4)
		wantFlags(t, s, "b@example.com", 4)
		setFlags(t, s, "c@example.com", 4, noon)
		record(t, s, in("c@example.com", 4, noon))
		wantFlags(t, s, "c@example.com", 4)
	})
}

func TestOptInLeavesTheOtherKindsAlone(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "a@example.com", 4|8|16, noon)
		record(t, s, in("a@example.com", 8|32|1, noon.Add(time.Hour)))
		wantFlags(t, s, "a@example.com", 4|16)
	})
}

func TestMoveTakesTheFlagsAlong(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "Old@example.com", 4, noon)
		setFlags(t, s, "new@example.com", 8, noon)
		for range 2 { // a caller who heard nothing asks again
			move(t, s, "old@Example.com", "New@example.com")
			wantFlags(t, s, "new@example.com", 4|8) // its own opt-outs are not lost
			wantFlags(t, s, "old@example.com", 4)   // email to it may be queued
		}
	})
}

func TestMoveOfNothingChangesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "new@example.com", 8, noon)
		move(t, s, "unheard@example.com", "new@example.com")
		wantFlags(t, s, "new@example.com", 8)
		wantFlags(t, s, "unheard@example.com", 0)
		move(t, s, "new@example.com", "NEW@example.com") // itself
		wantFlags(t, s, "new@example.com", 8)
	})
}

func TestMovedOptOutYieldsToLaterWords(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "old@example.com", 4|8, noon)
		setFlags(t, s, "new@example.com", 1, noon.Add(time.Hour)) // later, but the owner says both are one
		move(t, s, "old@example.com", "new@example.com")
		wantFlags(t, s, "new@example.com", 4|8)
		record(t, s, in("new@example.com", 4, noon.Add(2*time.Hour)))
		wantFlags(t, s, "new@example.com", 8)
		setFlags(t, s, "new@example.com", 1, noon.Add(3*time.Hour))
		wantFlags(t, s, "new@example.com", 1)
	})
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		var group errgroup.Group
		const writers = 8
		for i := range writers {
			group.Go(func() error {
				_, err := s.Record(context.WithoutCancel(t.Context()), []prefs.Incident{
					out("hot@example.com", 2<<i, noon), out(fmt.Sprintf("own%d@example.com", i), 2, noon),
				})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		wantFlags(t, s, "hot@example.com", 2<<writers-2)
	})
}

// history generates incidents of few addresses, flags and times, so that they meet.
func history() *rapid.Generator[[]prefs.Incident] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) prefs.Incident {
		return prefs.Incident{
			Address: rapid.SampledFrom([]string{"a@example.com", "A@example.com", "b@example.com"}).Draw(t, "address"),
			Kind:    rapid.SampledFrom([]prefs.Kind{prefs.Bounce, prefs.SpamReport, prefs.OptOut, prefs.OptIn}).Draw(t, "kind"),
			At:      noon.Add(time.Duration(rapid.IntRange(-2, 5).Draw(t, "second")) * time.Second),
			Flags:   rapid.Int64Range(0, 15).Draw(t, "flags"),
		}
	}), 1, 30)
}

// TestIncidentsCommute: any order, any repetition and any split of the same incidents give the same document.
func TestIncidentsCommute(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			incidents := history().Draw(rt, "incidents")
			seed := rapid.Uint64().Draw(rt, "seed")
			var dumps []string
			for variant := range uint64(3) {
				round++
				again := shuffled(incidents, rand.New(rand.NewPCG(seed, variant)))
				for i := range again {
					again[i].Address = fmt.Sprintf("%d.%s", round, again[i].Address)
				}
				if err := s.SetFlags(t.Context(), fmt.Sprintf("%d.a@example.com", round), 6, noon); err != nil {
					rt.Fatal(err)
				}
				for _, some := range split(again, rand.New(rand.NewPCG(seed, variant))) {
					if _, err := s.Record(t.Context(), some); err != nil {
						rt.Fatal(err)
					}
				}
				dumps = append(dumps, dump(t, s, fmt.Sprintf("%d.a@example.com", round))+dump(t, s, fmt.Sprintf("%d.b@example.com", round)))
			}
			if dumps[0] != dumps[1] || dumps[0] != dumps[2] {
				rt.Fatalf("documents differ:\n%s\n%s\n%s", dumps[0], dumps[1], dumps[2])
			}
		})
	})
}

// shuffled returns the incidents in some order, some of them more than once.
func shuffled(incidents []prefs.Incident, r *rand.Rand) []prefs.Incident {
	again := slices.Clone(incidents)
	for range r.IntN(len(incidents) + 1) {
		again = append(again, incidents[r.IntN(len(incidents))])
	}
	r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	return again
}

func split(incidents []prefs.Incident, r *rand.Rand) [][]prefs.Incident {
	var parts [][]prefs.Incident
	for len(incidents) > 0 {
		n := 1 + r.IntN(len(incidents))
		parts = append(parts, incidents[:n])
		incidents = incidents[n:]
	}
	return parts
}

func dump(t *testing.T, s prefs.Store, key string) string {
	t.Helper()
	text, err := prefs.Dump(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
