package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/worker"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A box is an okq with a store beside it.
type box struct {
	*testing.T
	client *okq.Client
	stores *store.Stores
}

func onEachServer(t *testing.T, test func(*box)) {
	for name, addr := range map[string]func(*testing.T) string{
		"Okqd": func(t *testing.T) string { return okqdtest.RunT(t).Addr },
		"Redis": func(t *testing.T) string {
			return okqdtest.RunT(t, okqdtest.WithRedis(testenv.StartRedis(t).Addr)).Addr
		},
		"Original": func(t *testing.T) string { return okqtest.RunOriginal(t).Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := okq.New(okq.Options{Addrs: []string{addr(t)}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			test(&box{T: t, client: client, stores: storetest.Open(t, storetest.SQLite(t))})
		})
	}
}

// bury has a mail dead as a worker would: a letter in its queue, and so in the ledger.
func (b *box) bury(to, reason string, age time.Duration) *job.Email {
	b.Helper()
	e := &job.Email{ID: job.NewID(), To: to, From: "shop@example.org", Subject: "Hello", Text: "It works."}
	contents, err := e.Encode()
	if err != nil {
		b.Fatal(err)
	}
	letter := job.DeadLetter{ID: string(e.ID), Queue: job.QueueEmailNormal, Reason: reason, Died: time.Now().Add(-age).Unix()}
	letter.SetContents(contents)
	contents, err = letter.Encode()
	if err != nil {
		b.Fatal(err)
	}
	subject := stats.Subject{ID: e.ID, Recipient: to, Created: time.Now()}
	_, err = b.stores.Stats.Begin(b.Context(), []stats.Attempt{{Subject: subject, Number: 1, Token: "t", At: time.Now()}})
	err = errors.Join(err,
		b.stores.Stats.Settle(b.Context(), []stats.Settlement{{Subject: subject, Number: 1, State: stats.Dead, Reason: reason, At: time.Now()}}),
		b.client.Push(b.Context(), okq.Event{Queue: job.QueueEmailDead, ID: string(e.ID), Contents: contents}))
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func (b *box) letters() (all []deadletter.Letter) {
	b.Helper()
	for l, err := range deadletter.All(b.Context(), b.client, job.QueueEmailDead) {
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func (b *box) total(queue string) int {
	b.Helper()
	s, err := b.client.Status(b.Context(), queue)
	if err != nil {
		b.Fatal(err)
	}
	return s[0].Total
}

func TestLookingTakesNothingAway(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(b *box) {
		var want []string
		for i := range 250 {
			want = append(want, string(b.bury(fmt.Sprintf("u%d@example.com", i), job.ReasonRejected, time.Hour).ID))
		}
		for range 2 {
			var got []string
			for _, l := range b.letters() {
				got = append(got, l.Event)
			}
			if !slices.Equal(got, want) {
				b.Fatalf("%d letters, want %d in their order", len(got), len(want))
			}
		}
		if l, ok, err := deadletter.Get(b.Context(), b.client, job.QueueEmailDead, want[100]); err != nil || !ok || l.Recipient() != "u100@example.com" {
			b.Errorf("got %+v %v %v", l, ok, err)
		}
		if _, ok, err := deadletter.Get(b.Context(), b.client, job.QueueEmailDead, "none"); err != nil || ok {
			b.Errorf("one that is not there: %v %v", ok, err)
		}
		if s, err := b.client.Status(b.Context(), job.QueueEmailDead); err != nil || s[0].Total != 250 || s[0].Processing != 0 {
			b.Errorf("after looking: %+v %v", s, err)
		}
	})
}

func TestFilterChooses(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(b *box) {
		old := b.bury("ann@example.com", job.ReasonRejected, 48*time.Hour)
		fresh := b.bury("bob@example.com", job.ReasonUnknown, time.Minute)
		if err := b.client.Push(b.Context(), okq.Event{Queue: job.QueueEmailDead, ID: "junk", Contents: []byte("?")}); err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			filter deadletter.Filter
			want   []string
		}{
			{deadletter.Filter{}, []string{string(old.ID), string(fresh.ID), "junk"}},
			{deadletter.Filter{Reason: job.ReasonRejected}, []string{string(old.ID)}},
			{deadletter.Filter{Recipient: "BOB@example.com"}, []string{string(fresh.ID)}},
			{deadletter.Filter{Older: 24 * time.Hour}, []string{string(old.ID), "junk"}},
			{deadletter.Filter{Newer: 24 * time.Hour}, []string{string(fresh.ID)}},
			{deadletter.Filter{IDs: []string{"junk"}}, []string{"junk"}},
			{deadletter.Filter{Recipient: "bob@example.com", Older: time.Hour}, nil},
		} {
			var got []string
			for _, l := range b.letters() {
				if c.filter.Matches(&l) {
					got = append(got, l.Event)
				}
			}
			if !slices.Equal(got, c.want) {
				b.Errorf("%+v: %q, want %q", c.filter, got, c.want)
			}
		}
		letters := b.letters()
		if err := (&deadletter.Undertaker{Queue: b.client}).Requeue(b.Context(), &letters[2]); !errors.Is(err, deadletter.ErrNoJob) {
			b.Errorf("requeue of what is no letter: %v", err)
		}
	})
}

// A dying queue fails each call after the first n, as if the process had been killed there.
type dying struct {
	deadletter.Queue
	calls int
}

var errKilled = errors.New("killed")

func (d *dying) dies() bool {
	d.calls--
	return d.calls < 0
}

func (d *dying) Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error {
	if d.dies() {
		return errKilled
	}
	return d.Queue.Push(ctx, e, opts...)
}

func (d *dying) Ack(ctx context.Context, queue, id string) (bool, error) {
	if d.dies() {
		return false, errKilled
	}
	return d.Queue.Ack(ctx, queue, id)
}

func (d *dying) Move(ctx context.Context, from, to okq.Event, delay time.Duration) (bool, error) {
	if d.dies() {
		return false, errKilled
	}
	return d.Queue.Move(ctx, from, to, delay)
}

// TestARequeueThatIsKilledLosesNothingAndSendsOnce kills a requeue between any two of its steps, lets the worker do what
// there is to do, and requeues again.
func TestARequeueThatIsKilledLosesNothingAndSendsOnce(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(b *box) {
		sg := sandboxtest.RunT(b.T)
		stop := b.work(sg)
		defer stop()
		caps, err := b.client.Caps(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		pushed := 1 // calls after which the job is queued: Move; or else Move in vain, and Push
		if !caps.Move {
			pushed = 2
		}
		for calls := range 4 {
			e := b.bury("ann@example.com", job.ReasonAttempts, time.Hour)
			letter := b.letters()[0]
			first := deadletter.Undertaker{Queue: &dying{b.client, calls}, Stats: b.stores.Stats}
			if err := first.Requeue(b.Context(), &letter); (calls <= pushed && (calls < pushed || !caps.Move)) != errors.Is(err, errKilled) {
				b.Fatalf("killed after %d calls: %v", calls, err)
			}
			if calls >= pushed {
				b.sent(sg, e)
			} else if sg.Accepted(string(e.ID)) > 0 || len(b.letters()) != 1 {
				b.Fatal("sent before it was pushed")
			}
			b.requeueAgain(&letter, calls >= pushed)
			b.sent(sg, e)
			if n := len(b.letters()); n != 0 {
				b.Fatalf("%d letters are left", n)
			}
		}
	})
}

// requeueAgain repeats a requeue that was killed, and drops the letter if its email was sent.
func (b *box) requeueAgain(letter *deadletter.Letter, sent bool) {
	b.Helper()
	again := deadletter.Undertaker{Queue: b.client, Stats: b.stores.Stats}
	err := again.Requeue(b.Context(), letter)
	switch {
	case !sent && err == nil, errors.Is(err, deadletter.ErrGone):
	case sent && errors.Is(err, deadletter.ErrSent): // the ledger knows
		if err := again.Drop(b.Context(), letter); err != nil && !errors.Is(err, deadletter.ErrGone) {
			b.Fatal(err)
		}
	default:
		b.Fatalf("again, the email sent %v: %v", sent, err)
	}
}

// sent waits until a mail was sent, and finds it sent once when its queue is empty.
func (b *box) sent(sg *sandbox.Sandbox, e *job.Email) {
	b.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if sg.Accepted(string(e.ID)) > 0 && b.total(job.QueueEmailNormal) == 0 {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("the mail was not sent; %d dead letters", b.total(job.QueueEmailDead))
		}
	}
	if n := sg.Accepted(string(e.ID)); n != 1 {
		b.Fatalf("sent %d times", n)
	}
}

// work runs a worker.
func (b *box) work(sg *sandbox.Sandbox) (stop func()) {
	b.Helper()
	cfg := worker.Config{
		Queues: []string{job.QueueEmailNormal}, Concurrency: 4, DrainWait: 8 * time.Second, SendTimeout: 5 * time.Second,
		Lease: 10 * time.Second, MaxAttempts: 3, GiveUpAfter: time.Hour, MaxDeliveries: 12, Unknown: job.OnUnknownHold, EvidenceWait: time.Second, Environment: "test",
	}
	sender := sendgrid.New(sendgrid.Config{Key: "SG.test", URL: sg.URL()}, cfg.Environment, cfg.Concurrency)
	deps := worker.Deps{Queue: b.client, Sender: sender, Stats: b.stores.Stats, Prefs: b.stores.Prefs}
	w, err := worker.New(cfg, deps, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		sender.Close()
	}
}

// Two operators requeue the same letter: one does, the other is told.
func TestALetterIsRequeuedOnce(t *testing.T) {
	t.Parallel()
	b := &box{T: t}
	client, err := okq.New(okq.Options{Addrs: []string{okqdtest.RunT(t).Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b.client = client
	contents, err := (&job.DeadLetter{ID: "x", Queue: job.QueueStats, Job: []byte("[]")}).Encode()
	if err == nil {
		err = client.Push(t.Context(), okq.Event{Queue: job.QueueStatsDead, ID: "x", Contents: contents})
	}
	if err != nil {
		t.Fatal(err)
	}
	letter, _, err := deadletter.Get(t.Context(), client, job.QueueStatsDead, "x")
	if err != nil {
		t.Fatal(err)
	}
	u := deadletter.Undertaker{Queue: client}
	if err := u.Requeue(t.Context(), &letter); err != nil {
		t.Fatal(err)
	}
	if err := u.Requeue(t.Context(), &letter); !errors.Is(err, deadletter.ErrGone) {
		t.Errorf("the second: %v", err)
	}
	if err := u.Drop(t.Context(), &letter); !errors.Is(err, deadletter.ErrGone) {
		t.Errorf("drop: %v", err)
	}
	if n := b.total(job.QueueStats); n != 1 {
		t.Errorf("%d batches of events are queued", n)
	}
}

func TestRequeueNeedsTheLedger(t *testing.T) {
	t.Parallel()
	client, err := okq.New(okq.Options{Addrs: []string{okqtest.RunOriginal(t).Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	letter := deadletter.Letter{DeadLetter: job.DeadLetter{ID: "x", Queue: job.QueueEmailHigh, Job: []byte("{}")}, Dead: job.QueueEmailDead, Event: "x"}
	if err := client.Push(t.Context(), okq.Event{Queue: letter.Dead, ID: letter.Event}); err != nil {
		t.Fatal(err)
	}
	u := deadletter.Undertaker{Queue: client}
	if err := u.Requeue(t.Context(), &letter); !errors.Is(err, deadletter.ErrLedger) {
		t.Errorf("got %v", err)
	}
	u.Bare = true
	if err := u.Requeue(t.Context(), &letter); err != nil {
		t.Error(err)
	}
}
