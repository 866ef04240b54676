package api

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
)

const idRoom = len(`,"id":"000000000000000000000000"`) // what withID adds

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

// withID puts the id into the object, last, where it stands against an "id" that the caller gave. It writes over what
// follows the object in memory, if there is capacity: a large mail is not copied for it.
func withID(object []byte, id job.ID) []byte {
	b := append(object[:len(object)-1], `,"id":"`...)
	b = append(b, id...)
	return append(b, `"}`...)
}
