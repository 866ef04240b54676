package sandbox

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// strike decides what befalls the request, and waits out its delay. m is nil
// when the body could not be read: such a request has no recipients.
func (s *Sandbox) strike(r *http.Request, m *mailsend.Mail) faults.Rule {
	var from string
	var recipients []string
	if m != nil {
		from = m.From.Email
		for _, p := range m.Personalizations {
			for _, a := range p.Recipients() {
				recipients = append(recipients, a.Email)
			}
		}
	}
	strike := s.faults.Pick(from, recipients)
	if strike.Delay > 0 {
		s.countFault(faults.Latency)
		select {
		case <-time.After(strike.Delay):
		case <-r.Context().Done(): // the client left, the mail is treated as usual
		}
	}
	if strike.Rule.Fault != faults.None {
		s.countFault(strike.Rule.Fault)
		s.log.Debug().Str("fault", string(strike.Rule.Fault)).Msg("fault strikes")
	}
	return strike.Rule
}

func (s *Sandbox) countFault(f faults.Fault) {
	s.tally.update(func(c *Counters) { c.Faults[string(f)]++ })
	s.feed.Changed()
}

// misbehave ends the request the way the rule says.
func (s *Sandbox) misbehave(w http.ResponseWriter, r *http.Request, rule faults.Rule) {
	status := rule.Fault.Status()
	switch rule.Fault {
	case faults.Hang, faults.AcceptHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case faults.Reset, faults.AcceptReset:
		reset(w)
	case faults.TooMany:
		tooMany(w, time.Duration(rule.ResetAfter))
	case faults.BadRequest:
		field := "personalizations.0.to.0.email"
		answer(w, status, mailsend.Issue{Message: "Does not contain a valid address.", Field: &field})
	case faults.WrongKey:
		answerText(w, status, saysWrongKey)
	case faults.NoCredits:
		answerText(w, status, saysNoCredits)
	case faults.Blocked:
		answerText(w, status, saysBlocked)
	case faults.WrongSender:
		field := "from"
		answer(w, status, mailsend.Issue{Message: saysSender, Field: &field})
	case faults.TooLarge:
		answerHTML(w, status, saysTooLarge)
	case faults.Refuse:
		refuse(w, rule)
	case faults.Garbage:
		garbage(w, rule)
	default:
		serverError(w, status, rule.HTML)
	}
}

// reset closes the connection with a TCP RST: unsent data is thrown away, and
// the client sees "connection reset by peer".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // then it is a FIN
	}
	conn.Close() //nolint:errcheck // that was the point
}

func tooMany(w http.ResponseWriter, resetAfter time.Duration) {
	if resetAfter == 0 {
		resetAfter = time.Second
	}
	at := time.Now().Add(resetAfter + time.Second - 1) // whole seconds, and never too early
	h := w.Header()
	h.Set("X-RateLimit-Limit", "600")
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(at.Unix(), 10))
	answerText(w, http.StatusTooManyRequests, saysTooMany)
}

// refuse answers what the rule says; without a body if it says success.
func refuse(w http.ResponseWriter, rule faults.Rule) {
	status := rule.Status
	if status == 0 {
		status = rule.Fault.Status()
	}
	switch {
	case status < 300 && rule.Message == "":
		w.WriteHeader(status)
	case rule.HTML:
		answerHTML(w, status, rule.Message)
	default:
		answerText(w, status, rule.Message)
	}
}

// garbage is no JSON, no HTML and no UTF-8, but says it is JSON.
func garbage(w http.ResponseWriter, rule faults.Rule) {
	status := rule.Status
	if status == 0 {
		status = rule.Fault.Status()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write([]byte("{\"errors\":[{\"mess\x00\xff\xfe<br>\r\n\r\n}}}")) //nolint:errcheck // the client may have gone
}

func serverError(w http.ResponseWriter, status int, html bool) {
	if html {
		answerHTML(w, status, strconv.Itoa(status)+" "+http.StatusText(status))
		return
	}
	answerText(w, status, http.StatusText(status))
}
