package worker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStartsFollowHowLongTheLedgerTakes(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name        string
		begin, post time.Duration
		least, most int
	}{
		{"slow SendGrid, fast ledger: few are announced and wait", 5 * time.Millisecond, time.Second, 100, 110},
		{"both alike: twice as many", 50 * time.Millisecond, 50 * time.Millisecond, 200, 250},
		{"slow ledger: bounded", time.Second, time.Millisecond, 300, 300},
	}
	for _, row := range rows {
		s := newStarts(100)
		for range 1000 {
			s.learn(row.begin, row.post)
		}
		if s.limit < row.least || s.limit > row.most {
			t.Errorf("%s: %d starts for 100 posts, want %d to %d", row.name, s.limit, row.least, row.most)
		}
	}
}

// What a worker holds follows what it is sending, so that little of it waits while preferences change.
func TestTheHandIsHalfASecondsWork(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name        string
		begin, post time.Duration
		least, most int
	}{
		{"nothing is known yet", 0, 0, 150, 150},
		{"slow SendGrid", 5 * time.Millisecond, 8 * time.Second, 107, 110},
		{"a second each", 10 * time.Millisecond, time.Second, 150, 160},
		{"fast: enough for the store to take as long as SendGrid", 10 * time.Millisecond, 50 * time.Millisecond, 4*100 + batchSize, 4*100 + batchSize},
		{"slow SendGrid and slow store", time.Second, time.Second, 440, 460},
	}
	for _, row := range rows {
		s := newStarts(100)
		if row.post > 0 {
			for range 1000 {
				s.learn(row.begin, row.post)
			}
		}
		if n := s.hand(); n < row.least || n > row.most {
			t.Errorf("%s: %d in hand of 100 at a time, want %d to %d", row.name, n, row.least, row.most)
		}
	}
}

func TestLargeMailsInHandStopPopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate()
		g.hold(4, 4*30<<20, false)
		popped := make(chan error, 1)
		go func() { popped <- g.waitPop(t.Context()) }()
		synctest.Wait()
		select {
		case <-popped:
			t.Fatal("more was popped with 120 MB in hand")
		default:
		}
		if err := g.waitPopHigh(t.Context()); err != nil { // they do not wait for others
			t.Fatal(err)
		}
		g.hold(-2, -2*30<<20, false)
		if err := <-popped; err != nil {
			t.Fatal(err)
		}
	})
}
