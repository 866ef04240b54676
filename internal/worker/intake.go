package worker

import (
	"errors"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// decode reads a job.
func (b *batch) decode(m *mail) bool {
	if m.email == nil {
		e, err := job.DecodeEmail(m.ID, m.Contents)
		if err != nil {
			b.beside(m, func(m *mail) { b.w.bury(b.jobs, m, death{reason: job.ReasonUndecodable, detail: err.Error()}) })
			return false
		}
		m.email, m.parent = e, e.TraceParent
	}
	return true
}

// due drops what is not to be sent, now or at all.
func (b *batch) due(m *mail) bool {
	if err := invalid(m.email); err != nil {
		b.beside(m, func(m *mail) {
			if b.unrecorded(m) {
				b.w.bury(b.jobs, m, death{reason: job.ReasonInvalid, detail: err.Error()})
			}
		})
		return false
	}
	now := time.Now()
	if m.email.Expired(now) {
		b.beside(m, func(m *mail) { b.drop(m, expiredVeto) })
		return false
	}
	// pm-api had okq keep the mail until then, if okq can; one that cannot shows it again and again.
	if early := job.Early(m.email.SendAt, now); early > 0 {
		b.beside(m, func(m *mail) { b.w.later(b.jobs, m, early) })
		return false
	}
	return true
}

// notSendGrids are the fields whose limits are postmaster's own. Jobs of 0.4.0, which had other limits, are not held to
// them: SendGrid never sees these fields.
var notSendGrids = []string{"flags", "uniqueID", "idempotencyKey", "priority", "onUnknown", "sendAt", "sendBefore"}

// invalid spares SendGrid a mail that it would reject: it blocks accounts over repeated bad requests.
func invalid(e *job.Email) error {
	err := e.Sendable()
	var field *job.FieldError
	if errors.As(err, &field) && slices.Contains(notSendGrids, field.Field) {
		return nil
	}
	return err
}
