package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	pushTimeout = 3 * time.Second        // for all tries of a push
	pushPause   = 100 * time.Millisecond // before the second; twice as long before each one after it
	pushTries   = 4

	idRoom = len(`,"id":"000000000000000000000000"`) // what withID adds
)

type enqueueResult struct {
	Success bool   `json:"success"`
	ID      job.ID `json:"id"`
}

// enqueue puts a mail into its queue. From the answer on, the mail is okq's to keep.
func (s *Server) enqueue(ctx context.Context, c *call, log *zerolog.Logger) (any, error) {
	raw, err := object(c.params)
	if err != nil {
		return nil, err
	}
	t, err := readTicket(raw)
	if err != nil {
		return nil, err
	}
	if !c.owned {
		raw = append(make([]byte, 0, len(raw)+idRoom), raw...)
	}
	id, err := s.enqueueOnce(ctx, t, raw)
	if err != nil {
		return nil, err
	}
	log.Debug().Str("job_id", string(id)).Str("queue", t.queue).Msg("enqueued")
	return enqueueResult{true, id}, nil
}

// A ticket is what enqueue has to know of a mail that it found to be valid. The mail itself can then be forgotten,
// which for a large one is a copy less while it is pushed.
type ticket struct {
	queue  string
	sendAt int64
	key    string      // idempotencyKey
	print  fingerprint // of the mail, if it has a key
}

func readTicket(raw []byte) (ticket, error) {
	var e job.Email
	if err := decode(raw, &e); err != nil {
		return ticket{}, err
	}
	if err := e.Validate(); err != nil {
		return ticket{}, err
	}
	t := ticket{queue: e.Queue(), sendAt: e.SendAt, key: e.IdempotencyKey}
	if t.key == "" {
		return t, nil
	}
	var err error
	t.print, err = newFingerprint(&e)
	return t, err
}

// push pushes the mail as the bytes it came in. It tries again for a while, with the same ID: that the event is there
// already means that an earlier try had arrived.
func (s *Server) push(ctx context.Context, t ticket, id job.ID, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	event := okq.Event{Queue: t.queue, ID: string(id), Contents: withID(raw, id)}
	pause := pushPause
	for try := 1; ; try++ {
		err := s.pushAt(ctx, event, t.sendAt)
		if err == nil || errors.Is(err, okq.ErrDuplicate) {
			return nil
		}
		if try == pushTries || !errors.Is(err, okq.ErrUnavailable) && !errors.Is(err, okq.ErrBusy) {
			return err
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

// pushAt pushes an event that appears at sendAt. An okq without delays gets it at once: pm-worker looks at sendAt too.
func (s *Server) pushAt(ctx context.Context, event okq.Event, sendAt int64) error {
	if delay := time.Until(time.Unix(sendAt, 0)); delay > 0 {
		if err := s.deps.Queue.Push(ctx, event, okq.Delay(delay)); !errors.Is(err, okq.ErrNoDelay) {
			return err
		}
	}
	return s.deps.Queue.Push(ctx, event)
}

// withID puts the id into the object, last, where it stands against an "id" that the caller gave. It writes over what
// follows the object in memory, if there is capacity: a large mail is not copied for it.
func withID(object []byte, id job.ID) []byte {
	b := append(object[:len(object)-1], `,"id":"`...)
	b = append(b, id...)
	return append(b, `"}`...)
}
