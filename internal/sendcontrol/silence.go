package sendcontrol

import "time"

// SendGrid is away when so many recipients in a row cannot be sent to for want of an answer: fewer will do if that has
// lasted for a while. One recipient alone is nobody's outage.
const (
	awayAfter, awayAfterLong = 20, 5
	awayLong                 = time.Minute
)

// A silence is the recipients of attempts in a row that got no answer about the email or the account.
type silence struct {
	to    map[string]struct{}
	began time.Time
}

// add counts one more recipient, and reports whether SendGrid is away.
func (s *silence) add(now time.Time, to string) bool {
	if len(s.to) == 0 {
		s.to, s.began = map[string]struct{}{}, now
	}
	if len(s.to) < awayAfter {
		s.to[to] = struct{}{}
	}
	n := len(s.to)
	return n >= awayAfter || n >= awayAfterLong && now.Sub(s.began) >= awayLong
}

func (s *silence) clear() { clear(s.to) }
