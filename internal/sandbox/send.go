package sandbox

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// bodyTimeout is how long a client may take to send its mail.
const bodyTimeout = time.Minute

// serveSend is POST /v3/mail/send.
func (s *Sandbox) serveSend(w http.ResponseWriter, r *http.Request) {
	s.tally.update(func(c *Counters) { c.Requests++ })
	if r.Method != http.MethodPost {
		s.refuse(w, http.StatusMethodNotAllowed, mailsend.General(saysNoMethod))
		return
	}
	now := time.Now()
	m, body, issues, err := s.readMail(w, r, now)
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	strike := s.strike(r, m)
	if strike.Fault != faults.None && !strike.Fault.Accepts() {
		s.misbehave(w, r, strike)
		return
	}
	if status, message := s.checkHeaders(r); status != 0 {
		s.refuse(w, status, mailsend.General(message))
		return
	}
	if issues != nil {
		s.refuse(w, http.StatusBadRequest, issues...)
		return
	}
	if m.SandboxMode {
		s.tally.update(func(c *Counters) { c.Validated++ })
		w.WriteHeader(http.StatusOK)
		return
	}
	id := s.accept(m, body, now)
	if strike.Fault.Accepts() {
		s.misbehave(w, r, strike)
		return
	}
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

// readMail reads and parses the body. The room that a large one takes is held
// no longer than that, whatever delays follow.
func (s *Sandbox) readMail(w http.ResponseWriter, r *http.Request, now time.Time) (*mailsend.Mail, []byte, []mailsend.Issue, error) {
	deadline := http.NewResponseController(w)
	deadline.SetReadDeadline(now.Add(bodyTimeout)) //nolint:errcheck // every server connection has one
	body, release, err := s.readBody(r.Context(), r)
	defer release()
	deadline.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	if err != nil {
		return nil, nil, nil, err
	}
	m, issues := mailsend.Parse(body, now)
	return m, body, issues, nil
}

// accept takes the mail: from here on it counts as sent, whatever becomes of
// the answer.
func (s *Sandbox) accept(m *mailsend.Mail, body []byte, now time.Time) (id string) {
	id = s.ids.message()
	envelope := m.Envelope()
	s.inbox.add(id, now, envelope, body)
	s.tally.accepted(envelope)
	s.letHappen(id, envelope, now)
	s.feed.Changed()
	s.log.Debug().Str("sg_message_id", id).Str("stats_id", envelope.Args(0)[statsIDArg]).Msg("mail accepted")
	return id
}

// checkHeaders answers 0 when the request may be looked at.
func (s *Sandbox) checkHeaders(r *http.Request) (status int, message string) {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return http.StatusUnauthorized, saysNoKey
	}
	if !s.goodKey(authorization) {
		return http.StatusUnauthorized, saysWrongKey
	}
	if r.Header.Get("Accept") == "" {
		return http.StatusNotAcceptable, saysNoAccept
	}
	if !isJSON(r) {
		return http.StatusUnsupportedMediaType, saysMediaType
	}
	return 0, ""
}

func (s *Sandbox) goodKey(authorization string) bool {
	scheme, key, _ := strings.Cut(authorization, " ")
	key = strings.TrimSpace(key)
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return false
	}
	return s.cfg.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.Key)) == 1
}

func (s *Sandbox) refuse(w http.ResponseWriter, status int, issues ...mailsend.Issue) {
	s.noteRefusal(status, issues...)
	answer(w, status, issues...)
}

func (s *Sandbox) noteRefusal(status int, issues ...mailsend.Issue) {
	s.tally.update(func(c *Counters) { c.Refused[status]++ })
	s.refusals.add(status, issues)
	s.feed.Changed()
	entry := s.log.Info().Int("status", status).Int("issues", len(issues))
	if issues[0].Field != nil {
		entry = entry.Str("field", *issues[0].Field)
	}
	entry.Msg("mail refused") // the message may name a recipient: /api/refused has it
}

func (s *Sandbox) refuseBody(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		s.noteRefusal(http.StatusRequestEntityTooLarge, mailsend.General(saysTooLarge))
		answerHTML(w, http.StatusRequestEntityTooLarge, saysTooLarge)
	case errors.Is(err, errMediaType):
		s.refuse(w, http.StatusUnsupportedMediaType, mailsend.General("Content-Encoding should be gzip."))
	default:
		s.refuse(w, http.StatusBadRequest, mailsend.General(saysBadBody))
	}
}
