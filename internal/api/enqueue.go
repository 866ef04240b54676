package api

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	traceRoom = len(`,"traceparent":"00-00000000000000000000000000000000-0000000000000000-00"`)
	idRoom    = len(`,"id":"000000000000000000000000"`) + traceRoom // what withID adds at most
)

type enqueueResult struct {
	Success  bool     `json:"success"`
	ID       job.ID   `json:"id"`
	Warnings []string `json:"warnings,omitempty"` // about members that no method knows
}

// enqueue puts a mail into its queue. From the answer on, the mail is okq's to keep.
func (s *Server) enqueue(ctx context.Context, c *call, log *zerolog.Logger) (any, error) {
	raw, err := object(c.params)
	if err != nil {
		return nil, err
	}
	params, err := readMembers(raw)
	if err != nil {
		return nil, err
	}
	if err := params.refusal(); err != nil {
		return nil, err
	}
	t, err := s.readTicket(ctx, raw, params)
	if err != nil {
		return nil, err
	}
	if !c.owned {
		raw = append(make([]byte, 0, len(raw)+idRoom), raw...)
	}
	span := s.deps.Tracer.Enqueue(ctx)
	defer span.End()
	t.trace = span.Parent()
	id, err := s.enqueueOnce(ctx, t, raw)
	if err != nil {
		span.Fail(err.Error())
		return nil, err
	}
	span.Set("job_id", string(id))
	log.Debug().Str("job_id", string(id)).Str("queue", t.queue).Msg("enqueued")
	return enqueueResult{true, id, params.warnings()}, nil
}

// A ticket is what enqueue has to know of a mail that it found to be valid. The mail itself can then be forgotten,
// which for a large one is a copy less while it is pushed.
type ticket struct {
	queue  string
	sendAt int64
	key    string      // idempotencyKey
	print  fingerprint // of the mail, if it has a key
	trace  string      // traceparent of this call; empty: it is not traced
}

func (s *Server) readTicket(ctx context.Context, raw []byte, p enqueueParams) (ticket, error) {
	release, err := s.decoding.take(ctx, raw, p)
	if err != nil {
		return ticket{}, err
	}
	defer release()
	return newTicket(raw)
}

func newTicket(raw []byte) (ticket, error) {
	var e job.Email
	if err := decode(raw, &e); err != nil {
		return ticket{}, err
	}
	if err := e.Validate(); err != nil {
		return ticket{}, err
	}
	e.TraceParent = "" // it is pm-api's to give, and no part of what the mail says
	t := ticket{queue: e.Queue(), sendAt: e.SendAt, key: e.IdempotencyKey}
	if t.key == "" {
		return t, nil
	}
	var err error
	t.print, err = newFingerprint(&e)
	return t, err
}

// withID puts the id, and a trace if there is one, into the object, last, where they stand against what the caller gave.
// It writes over what follows the object in memory, if there is capacity: a large mail is not copied for it.
func withID(object []byte, id job.ID, trace string) []byte {
	b := object[:len(object)-1]
	if trace != "" {
		b = append(b, `,"traceparent":"`...)
		b = append(b, trace...)
		b = append(b, '"')
	}
	b = append(b, `,"id":"`...)
	b = append(b, id...)
	return append(b, `"}`...)
}
