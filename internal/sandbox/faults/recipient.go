package faults

import (
	"strconv"
	"strings"
	"time"
)

// Recipient is an address whose requests always go wrong.
type Recipient struct {
	Name string // the local part
	Rule Rule
}

// Recipients lists them. A tag of x and a number limits the fault to the
// first requests: fail503+x2@example.com is accepted at the third.
func Recipients() []Recipient {
	html := func(f Fault) Rule { return Rule{Fault: f, Probability: 1, HTML: true} }
	return []Recipient{
		{"slow", Rule{Fault: Latency, Probability: 1, Delay: Duration(2 * time.Second)}},
		{"limit429", Always(TooMany)},
		{"fail500", Always(ServerError)},
		{"fail502", html(BadGateway)},
		{"fail503", Always(Unavailable)},
		{"fail504", html(GatewayTime)},
		{"hang", Always(Hang)},
		{"reset", Always(Reset)},
		{"acceptreset", Always(AcceptReset)},
		{"accepthang", Always(AcceptHang)},
		{"accept500", Always(AcceptError)},
		{"reject400", Always(BadRequest)},
		{"reject401", Always(WrongKey)},
		{"credits401", Always(NoCredits)},
		{"reject403", Always(WrongSender)},
		{"blocked403", Always(Blocked)},
		{"reject413", Always(TooLarge)},
		{"garbage", Always(Garbage)},
	}
}

// byRecipient finds an address's own rule, and how often it strikes (0: for
// ever).
func byRecipient(rules map[string]Rule, email string) (rule Rule, times int, ok bool) {
	local, _, _ := strings.Cut(email, "@")
	name, tag, _ := strings.Cut(local, "+")
	rule, ok = rules[strings.ToLower(name)]
	if digits, has := strings.CutPrefix(tag, "x"); has {
		times, _ = strconv.Atoi(digits) // another tag: for ever
	}
	return rule, max(0, times), ok
}
