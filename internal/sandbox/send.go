package sandbox

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// serveSend is POST /v3/mail/send.
func (s *Sandbox) serveSend(w http.ResponseWriter, r *http.Request) {
	s.tally.update(func(c *Counters) { c.Requests++ })
	body, release, err := s.readBody(r.Context(), r)
	defer release()
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	now := time.Now()
	m, issues := mailsend.Parse(body, now)
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
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

// accept takes the mail: from here on it counts as sent, whatever becomes of
// the answer.
func (s *Sandbox) accept(m *mailsend.Mail, body []byte, now time.Time) (id string) {
	id = s.ids.message()
	envelope := m.Envelope()
	s.inbox.add(id, now, envelope, body)
	s.tally.accepted(envelope)
	s.letHappen(id, envelope, now)
	s.feed.changed()
	s.log.Debug().Str("sg_message_id", id).Str("stats_id", envelope.Args(0)[statsIDArg]).Msg("mail accepted")
	return id
}

// checkHeaders answers 0 when the request may be looked at.
func (s *Sandbox) checkHeaders(r *http.Request) (status int, message string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, saysNoMethod
	}
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
	s.tally.update(func(c *Counters) { c.Refused[status]++ })
	s.log.Info().Int("status", status).Str("reason", issues[0].Message).Int("issues", len(issues)).Msg("mail refused")
	answer(w, status, issues...)
}

func (s *Sandbox) refuseBody(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		s.tally.update(func(c *Counters) { c.Refused[http.StatusRequestEntityTooLarge]++ })
		answerHTML(w, http.StatusRequestEntityTooLarge, "413 Request Entity Too Large")
	case errors.Is(err, errMediaType):
		s.refuse(w, http.StatusUnsupportedMediaType, mailsend.General("Content-Encoding should be gzip."))
	default:
		s.refuse(w, http.StatusBadRequest, mailsend.General(saysBadBody))
	}
}
