package stats_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// slow is a store whose writes take a second and are remembered. An attempt with the token "bad" spoils its write.
type slow struct {
	stats.Store
	mu     sync.Mutex // protects writes
	writes [][]stats.Attempt
}

var errBad = errors.New("bad attempt")

func (s *slow) Begin(ctx context.Context, attempts []stats.Attempt) ([]bool, error) {
	s.mu.Lock()
	s.writes = append(s.writes, attempts)
	s.mu.Unlock()
	time.Sleep(time.Second)
	won := make([]bool, len(attempts))
	for i, a := range attempts {
		if a.Token == "bad" {
			return nil, errBad
		}
		won[i] = a.Number%2 == 0
	}
	return won, ctx.Err()
}

func TestCallsDuringAWriteShareTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		c := stats.NewCommitter(s)
		const callers = 2000
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				won, err := c.Begin(t.Context(), []stats.Attempt{{Number: i}, {Number: i + 1}})
				if err != nil || len(won) != 2 || won[0] == won[1] || won[0] != (i%2 == 0) {
					t.Errorf("Begin %d = %v, %v", i, won, err)
				}
			})
		}
		wg.Wait()
		items := 0
		for _, w := range s.writes {
			items += len(w)
			if len(w) > 1000 {
				t.Errorf("a write of %d attempts", len(w))
			}
		}
		if items != 2*callers || len(s.writes) > 6 { // one alone, then 3999 by 1000
			t.Errorf("%d attempts in %d writes; want %d in 5", items, len(s.writes), 2*callers)
		}
	})
}

func TestOneBadCallFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := stats.NewCommitter(&slow{})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				token := map[bool]string{true: "bad"}[i == 3]
				_, err := c.Begin(t.Context(), []stats.Attempt{{Token: token}})
				if bad := errors.Is(err, errBad); bad != (i == 3) {
					t.Errorf("Begin %d = %v", i, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestCallerWhoGivesUpDisturbsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		c := stats.NewCommitter(s)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%4)*500*time.Millisecond)
				defer cancel()
				if i%4 == 3 {
					ctx = t.Context()
				}
				_, err := c.Begin(ctx, []stats.Attempt{{Number: i}})
				if err != nil && (i%4 == 3 || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("Begin %d = %v", i, err)
				}
			})
		}
		wg.Wait()
		if won, err := c.Begin(t.Context(), []stats.Attempt{{Number: 2}}); err != nil || !won[0] {
			t.Errorf("Begin afterwards = %v, %v; want it to win", won, err)
		}
	})
}

func TestCommitterIsTheStore(t *testing.T) {
	t.Parallel()
	c := stats.NewCommitter(open(t, store.Config{SQLite: filepath.Join(t.TempDir(), "pm.db")}))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			id := job.NewID()
			won, err := c.Begin(t.Context(), []stats.Attempt{attempt(id, 1, fmt.Sprint(i))})
			if err != nil || !won[0] {
				t.Errorf("Begin = %v, %v", won, err)
			}
			if err := c.Settle(t.Context(), []stats.Settlement{settlement(id, 1, stats.Accepted)}); err != nil {
				t.Error(err)
			}
			records, err := c.Lookup(t.Context(), []job.ID{id})
			if err != nil || records[id].State != stats.Accepted || records[id].Token != fmt.Sprint(i) {
				t.Errorf("record = %+v, %v", records[id], err)
			}
		})
	}
	wg.Wait()
}
