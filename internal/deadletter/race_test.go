package deadletter_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// onEachMover runs a test on the servers that move events.
func onEachMover(t *testing.T, test func(*box)) {
	onEachServer(t, func(b *box) {
		caps, err := b.client.Caps(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if caps.Move {
			test(b)
		}
	})
}

// together runs acts at once and returns what came of each.
func together(acts ...func() error) []error {
	errs := make([]error, len(acts))
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, act := range acts {
		wg.Go(func() {
			<-start
			errs[i] = act()
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// TestOfTwoOperatorsOneActs has operators requeue and drop the same letters at once, of emails and of events.
func TestOfTwoOperatorsOneActs(t *testing.T) {
	t.Parallel()
	onEachMover(t, func(b *box) {
		u := deadletter.Undertaker{Queue: b.client, Stats: b.stores.Stats}
		for i := range 40 {
			var letter deadletter.Letter
			if i%2 == 0 {
				b.bury(fmt.Sprintf("u%d@example.com", i), job.ReasonAttempts, time.Hour)
				letter = b.letters()[0]
			} else {
				letter = b.buryEvents(fmt.Sprint("batch-", i))
			}
			requeue := func() error { return u.Requeue(b.Context(), &letter) }
			drop := func() error { return u.Drop(b.Context(), &letter) }
			second := drop
			if i%4 > 1 {
				second = requeue
			}
			errs := together(requeue, second)
			if (errs[0] == nil) == (errs[1] == nil) {
				b.Fatalf("both did, or neither: %v", errs)
			}
			id, _ := letter.Requeued()
			_, queued, err := b.client.Find(b.Context(), letter.Queue, id)
			if err != nil || queued != (errs[0] == nil || i%4 > 1) {
				b.Fatalf("the job is queued %v, after %v (%v)", queued, errs, err)
			}
			if n := b.total(letter.Dead); n != 0 {
				b.Fatalf("%d letters are left, after %v", n, errs)
			}
			if !queued && i%2 == 0 {
				b.recordIs(job.ID(letter.ID), stats.Dead)
			}
		}
	})
}

func (b *box) recordIs(id job.ID, want stats.State) {
	b.Helper()
	records, err := b.stores.Stats.Lookup(b.Context(), []job.ID{id})
	if err != nil || records[id] == nil || records[id].State != want {
		b.Fatalf("the record is %+v %v, want %s", records[id], err, want)
	}
}

func (b *box) buryEvents(id string) deadletter.Letter {
	b.Helper()
	letter := job.DeadLetter{ID: id, Queue: job.QueueStats, Reason: job.ReasonUndecodable, Job: []byte("[]")}
	contents, err := letter.Encode()
	if err == nil {
		err = b.client.Push(b.Context(), okq.Event{Queue: job.QueueStatsDead, ID: id, Contents: contents})
	}
	if err != nil {
		b.Fatal(err)
	}
	found, ok, err := deadletter.Get(b.Context(), b.client, job.QueueStatsDead, id)
	if err != nil || !ok {
		b.Fatalf("letter %s: %v %v", id, ok, err)
	}
	return found
}

// TestALetterWhoseJobIsQueuedStays is for a requeue while the worker is not done with the death, or after a second push.
func TestALetterWhoseJobIsQueuedStays(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(b *box) {
		e := b.bury("ann@example.com", job.ReasonAttempts, time.Hour)
		letter := b.letters()[0]
		if err := b.client.Push(b.Context(), okq.Event{Queue: letter.Queue, ID: letter.ID, Contents: letter.Contents()}); err != nil {
			b.Fatal(err)
		}
		u := deadletter.Undertaker{Queue: b.client, Stats: b.stores.Stats}
		if err := u.Requeue(b.Context(), &letter); !errors.Is(err, deadletter.ErrQueued) {
			b.Errorf("got %v, want ErrQueued", err)
		}
		if n := len(b.letters()); n != 1 {
			b.Errorf("%d letters", n)
		}
		if caps, err := b.client.Caps(b.Context()); err == nil && caps.Find {
			b.recordIs(e.ID, stats.Dead)
		}
	})
}

// TestAnEmailsIDMeansItsNewestLetter also where there are more letters than anybody guesses.
func TestAnEmailsIDMeansItsNewestLetter(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(b *box) {
		for _, id := range []string{"x", "x.2", "x.10", "y.112", "z"} {
			letter := job.DeadLetter{ID: id[:1], Queue: job.QueueEmailNormal, Reason: job.ReasonRejected, Job: []byte("{}")}
			contents, err := letter.Encode()
			if err == nil {
				err = b.client.Push(b.Context(), okq.Event{Queue: job.QueueEmailDead, ID: id, Contents: contents})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		for id, want := range map[string]string{"x.2": "x.2", "x": "x.10", "y": "y.112", "z": "z", "z.2": "", "w": ""} {
			letter, ok, err := deadletter.Get(b.Context(), b.client, job.QueueEmailDead, id)
			if err != nil || ok != (want != "") || letter.Event != want {
				b.Errorf("%s: got %q %v %v, want %q", id, letter.Event, ok, err, want)
			}
		}
	})
}
