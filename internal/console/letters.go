package console

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Letters is what the console does about dead letters.
type Letters interface {
	All(ctx context.Context, queue string) iter.Seq2[deadletter.Letter, error]
	Requeue(ctx context.Context, l *deadletter.Letter) error
	Drop(ctx context.Context, l *deadletter.Letter) error
}

type letters struct {
	deadletter.Undertaker
	client *okq.Client
}

// NewLetters are the dead letters in an okq. records is the workers' store, nil if they have none.
func NewLetters(client *okq.Client, records stats.Store) Letters {
	return &letters{deadletter.Undertaker{Queue: client, Stats: records, Bare: records == nil}, client}
}

func (l *letters) All(ctx context.Context, queue string) iter.Seq2[deadletter.Letter, error] {
	return deadletter.All(ctx, l.client, queue)
}

// A tally is what came of an act on many letters.
type tally struct {
	Done   int
	Sent   int // SendGrid has them
	Gone   int // somebody else was faster
	Queued int // the job is queued already
	NoJob  int // nothing to put back
	Failed int
}

func (t *tally) count(err error) {
	switch {
	case err == nil:
		t.Done++
	case errors.Is(err, deadletter.ErrSent):
		t.Sent++
	case errors.Is(err, deadletter.ErrGone):
		t.Gone++
	case errors.Is(err, deadletter.ErrQueued):
		t.Queued++
	case errors.Is(err, deadletter.ErrNoJob):
		t.NoJob++
	default:
		t.Failed++
	}
}

// fields are the numbers by name, for the address of the page that shows them.
func (t *tally) fields() map[string]*int {
	return map[string]*int{"done": &t.Done, "sent": &t.Sent, "gone": &t.Gone, "queued": &t.Queued, "nojob": &t.NoJob, "failed": &t.Failed}
}

func (t *tally) form(form url.Values) {
	for name, n := range t.fields() {
		form.Set(name, strconv.Itoa(*n))
	}
}

func tallyOf(form url.Values) tally {
	var t tally
	for name, n := range t.fields() {
		*n, _ = strconv.Atoi(form.Get(name)) // nobody's number but ours
	}
	return t
}

// actsAtOnce is how many letters are requeued or dropped at a time.
const actsAtOnce = 16

// each does something to each letter that is meant, and tells each of them and what came of it. It stops at the first
// failure that would meet all others too: okq or the store is away.
func (c *Console) each(ctx context.Context, ch choice, do func(context.Context, *deadletter.Letter) error, tell func(*deadletter.Letter, error)) (tally, error) {
	var mu sync.Mutex // protects the tally and tell
	var t tally
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(actsAtOnce)
	for l, err := range c.deps.Letters.All(ctx, ch.Queue) {
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		if !ch.matches(&l) {
			continue
		}
		g.Go(func() error {
			err := do(ctx, &l)
			mu.Lock()
			defer mu.Unlock()
			t.count(err)
			tell(&l, err)
			if errors.Is(err, okq.ErrUnavailable) || errors.Is(err, stats.ErrUnavailable) {
				return err
			}
			return nil
		})
	}
	return t, g.Wait()
}
