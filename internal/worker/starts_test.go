package worker

import (
	"context"
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

func TestStartsAreGivenInOrderAndNeverLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStarts(1)
		for range s.limit {
			if !s.acquire(t.Context()) {
				t.Fatal("no start although some are free")
			}
		}
		impatient, cancel := context.WithCancel(t.Context())
		results := make(chan string, 2)
		go func() {
			if !s.acquire(impatient) {
				results <- "impatient left"
			}
		}()
		synctest.Wait()
		go func() {
			if s.acquire(t.Context()) {
				results <- "patient has it"
			}
		}()
		synctest.Wait()
		cancel()
		if got := <-results; got != "impatient left" {
			t.Fatal(got)
		}
		s.release()
		if got := <-results; got != "patient has it" {
			t.Fatal(got)
		}
		for range s.limit {
			s.release()
		}
		if s.used != 0 {
			t.Errorf("%d starts are still taken", s.used)
		}
	})
}

func TestLargeMailsInHandStopPopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate()
		g.hold(4, 4*30<<20)
		popped := make(chan error, 1)
		go func() { popped <- g.waitPop(t.Context()) }()
		synctest.Wait()
		select {
		case <-popped:
			t.Fatal("more was popped with 120 MB in hand")
		default:
		}
		g.hold(-2, -2*30<<20)
		if err := <-popped; err != nil {
			t.Fatal(err)
		}
	})
}
