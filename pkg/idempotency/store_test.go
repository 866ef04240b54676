package idempotency_test

import (
	"bytes"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
)

// onEachStore runs one test over every kind of store.
func onEachStore(t *testing.T, test func(t *testing.T, s idempotency.Store)) {
	storetest.OnEach(t, func(t *testing.T, s *store.Stores) { test(t, s.Keys) })
}

func claimOf(print byte, made time.Time) idempotency.Claim {
	return idempotency.Claim{ID: job.NewID(), Fingerprint: []byte{0: print, 48: print}, Made: made.Truncate(time.Millisecond)}
}

func mustClaim(t *testing.T, s idempotency.Store, key string, c idempotency.Claim) idempotency.Claim {
	t.Helper()
	got, err := s.Claim(t.Context(), key, c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func same(a, b idempotency.Claim) bool {
	return a.ID == b.ID && bytes.Equal(a.Fingerprint, b.Fingerprint) && a.Made.Equal(b.Made) && a.Confirmed == b.Confirmed
}

func TestFirstClaimStands(t *testing.T) {
	onEachStore(t, func(t *testing.T, s idempotency.Store) {
		now := time.Now()
		first, second := claimOf(1, now), claimOf(2, now.Add(idempotency.Lifetime-time.Minute))
		if got := mustClaim(t, s, "k", first); !same(got, first) {
			t.Errorf("first = %+v, want %+v", got, first)
		}
		if got := mustClaim(t, s, "k", second); !same(got, first) {
			t.Errorf("second = %+v, want %+v", got, first)
		}
		for _, key := range []string{"K", "k ", "", strings.Repeat("é", 128), "$k.a\x00b"} {
			if other := claimOf(3, now); !same(mustClaim(t, s, key, other), other) {
				t.Errorf("key %q stands for the mail of another", key)
			}
		}
	})
}

func TestExpiredClaimIsAsGoodAsNone(t *testing.T) {
	onEachStore(t, func(t *testing.T, s idempotency.Store) {
		now := time.Now()
		old, fresh := claimOf(1, now.Add(-idempotency.Lifetime-time.Second)), claimOf(2, now)
		mustClaim(t, s, "k", old)
		if err := s.Confirm(t.Context(), "k", old.ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := mustClaim(t, s, "k", fresh); !same(got, fresh) {
				t.Errorf("claim = %+v, want %+v", got, fresh)
			}
		}
	})
}

func TestConfirmedClaimSaysSo(t *testing.T) {
	onEachStore(t, func(t *testing.T, s idempotency.Store) {
		c := mustClaim(t, s, "k", claimOf(1, time.Now()))
		if err := s.Confirm(t.Context(), "k", job.NewID()); err != nil {
			t.Fatal(err)
		}
		if got := mustClaim(t, s, "k", claimOf(1, time.Now())); got.Confirmed {
			t.Error("confirmed by the id of another mail")
		}
		for range 2 {
			if err := s.Confirm(t.Context(), "k", c.ID); err != nil {
				t.Fatal(err)
			}
		}
		c.Confirmed = true
		if got := mustClaim(t, s, "k", claimOf(2, time.Now())); !same(got, c) {
			t.Errorf("claim = %+v, want %+v", got, c)
		}
		if err := s.Confirm(t.Context(), "never claimed", c.ID); err != nil {
			t.Errorf("Confirm of no claim: %v", err)
		}
	})
}

func TestClaimsAtOnceAgree(t *testing.T) {
	onEachStore(t, func(t *testing.T, s idempotency.Store) {
		now := time.Now()
		mustClaim(t, s, "expired", claimOf(9, now.Add(-2*idempotency.Lifetime)))
		for _, key := range []string{"new", "expired"} {
			got := make([]idempotency.Claim, 16)
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() {
					var err error
					if got[i], err = s.Claim(t.Context(), key, claimOf(byte(i), now)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, c := range got {
				if !same(c, got[0]) || c.ID == "" || c.Fingerprint[0] == 9 && c.Made.Before(now.Add(-idempotency.Lifetime)) {
					t.Errorf("%s: %+v and %+v", key, c, got[0])
				}
			}
		}
	})
}

func TestSQLiteForgetsExpiredKeys(t *testing.T) {
	t.Parallel()
	cfg := storetest.SQLite(t)
	s := storetest.Open(t, cfg).Keys
	for i := range 10 {
		mustClaim(t, s, strings.Repeat("x", i+1), claimOf(1, time.Now().Add(-2*idempotency.Lifetime)))
	}
	for i := range 5 {
		mustClaim(t, s, strings.Repeat("y", i+1), claimOf(1, time.Now()))
	}
	db, err := sql.Open("sqlite", cfg.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM idempotency`).Scan(&n); err != nil || n != 5 {
		t.Errorf("%d keys are kept, %v; want the 5 that stand", n, err)
	}
}
