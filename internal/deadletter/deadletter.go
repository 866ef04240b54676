// Package deadletter is what operators do about jobs that died: look through them, put them back into their queues, or
// drop them. Workers write the letters (pkg/job.DeadLetter); nobody consumes their queues.
//
// Looking takes no letter away. okqd tells what is in a queue; of the original okq, which cannot, all letters are popped
// and given back at once in their old order.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A Letter is a dead letter in its queue.
type Letter struct {
	job.DeadLetter
	Dead  string // the queue that it is in
	Event string // its id there
}

// ReasonForeign is the reason of what is in a dead queue and is no letter.
const ReasonForeign = "not a dead letter"

func parse(queue string, e okq.Event) Letter {
	d, err := job.DecodeDeadLetter(e.Contents)
	if err != nil {
		d = &job.DeadLetter{ID: e.ID, Reason: ReasonForeign, Detail: err.Error()}
		d.SetContents(e.Contents)
	}
	return Letter{DeadLetter: *d, Dead: queue, Event: e.ID}
}

// Recipient is whom the mail was to; "" if the job is none.
func (l *Letter) Recipient() string {
	if e, err := job.DecodeEmail(l.ID, l.Contents()); err == nil {
		return e.To
	}
	return ""
}

// Get returns the letter of that id, or the newest letter of the email of that id; false when there is none.
func Get(ctx context.Context, client *okq.Client, queue, id string) (Letter, bool, error) {
	found, ok, err := Find(ctx, client, queue, id)
	if err == nil && !ok {
		if id, err = scanNewest(ctx, client, queue, id); err == nil && id != "" {
			found, ok, err = client.Find(ctx, queue, id)
		}
	}
	if !errors.Is(err, okq.ErrNoFind) {
		return parse(queue, found.Event), ok, err
	}
	var newest Letter
	for letter, err := range All(ctx, client, queue) {
		if err != nil {
			return Letter{}, false, err
		}
		ours := letter.Event == id || job.EmailID(letter.Event) == id
		if ours && (newest.Event == "" || newer(letter.Event, newest.Event)) {
			newest = letter
		}
	}
	return newest, newest.Event != "", nil
}

// All returns the letters of a queue, in the order of their queue as far as the server keeps it.
func All(ctx context.Context, client *okq.Client, queue string) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		var ids []string
		for id, err := range client.Scan(ctx, queue) {
			if errors.Is(err, okq.ErrNoScan) {
				popped(ctx, client, queue, yield)
				return
			}
			if err != nil {
				yield(Letter{}, err)
				return
			}
			ids = append(ids, id)
		}
		for some := range slices.Chunk(ids, 256) {
			if !found(ctx, client, queue, some, yield) {
				return
			}
		}
	}
}

// found yields the letters of these ids that are still there.
func found(ctx context.Context, client *okq.Client, queue string, ids []string, yield func(Letter, error) bool) bool {
	letters := make([]*Letter, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i, id := range ids {
		group.Go(func() error {
			f, ok, err := client.Find(ctx, queue, id)
			if err == nil && ok {
				letter := parse(queue, f.Event)
				letters[i] = &letter
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		yield(Letter{}, err)
		return false
	}
	for _, letter := range letters {
		if letter != nil && !yield(*letter, nil) {
			return false
		}
	}
	return true
}

// looking is the lease of letters that are popped to be looked at: if we die, it gives them back.
const looking = time.Minute

// popped yields the letters of a server that shows them only to those who pop them. They are given back, the last first,
// before any is yielded.
func popped(ctx context.Context, client *okq.Client, queue string, yield func(Letter, error) bool) {
	var events []okq.Event
	for {
		some, err := client.Pop(ctx, queue, 100, looking)
		events = append(events, some...)
		if err == nil && len(some) > 0 {
			continue
		}
		for _, e := range slices.Backward(events) {
			if _, redoErr := client.Redo(context.WithoutCancel(ctx), queue, e.ID, 0); redoErr != nil {
				err = errors.Join(err, fmt.Errorf("letter %s comes back in %v: %w", e.ID, looking, redoErr))
			}
		}
		if err != nil && !yield(Letter{}, err) {
			return
		}
		break
	}
	for _, e := range events {
		if !yield(parse(queue, e), nil) {
			return
		}
	}
}

// A Filter chooses letters. What is zero does not matter.
type Filter struct {
	IDs       []string
	Reason    string
	Recipient string
	Older     time.Duration // died at least that long ago
	Newer     time.Duration // died at most that long ago
}

// Empty tells whether the filter leaves out nothing.
func (f *Filter) Empty() bool {
	return len(f.IDs) == 0 && f.Reason == "" && f.Recipient == "" && f.Older == 0 && f.Newer == 0
}

// Matches tells whether a letter is chosen.
func (f *Filter) Matches(l *Letter) bool {
	age := time.Since(time.Unix(l.Died, 0))
	switch {
	case len(f.IDs) > 0 && !slices.Contains(f.IDs, l.Event),
		f.Reason != "" && f.Reason != l.Reason,
		f.Older > 0 && age < f.Older,
		f.Newer > 0 && age > f.Newer,
		f.Recipient != "" && job.Key(f.Recipient) != job.Key(l.Recipient()):
		return false
	}
	return true
}
