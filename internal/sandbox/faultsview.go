package sandbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

type faultView struct {
	Fault faults.Fault
	Label string
}

type faultsView struct {
	Rules      []ruleView
	Menu       []faultView
	Recipients []pair
	Behaviours []pair
}

type ruleView struct {
	Fault, Text string
}

func newFaultsView(menu faults.Menu) faultsView {
	var v faultsView
	for _, r := range menu.Rules {
		v.Rules = append(v.Rules, ruleView{faultLabel(r.Fault), ruleText(r)})
	}
	for _, f := range faults.All() {
		v.Menu = append(v.Menu, faultView{f, faultLabel(f)})
	}
	for _, r := range faults.Recipients() {
		v.Recipients = append(v.Recipients, pair{r.Name, faultLabel(r.Rule.Fault)})
	}
	v.Behaviours = []pair{
		{"noopen", "processed, delivered"},
		{"click", "processed, delivered, open, click"},
		{"defer", "processed, deferred, delivered"},
		{"bounce", "processed, bounce (hard)"},
		{"block", "processed, bounce of type blocked"},
		{"drop", "dropped: Bounced Address"},
		{"spam", "processed, delivered, spam report"},
		{"unsub", "processed, delivered, unsubscribe"},
		{"", "processed, delivered, open"},
	}
	return v
}

func ruleText(r faults.Rule) string {
	var parts []string
	if r.Probability < 1 {
		parts = append(parts, fmt.Sprintf("%.4g %% of requests", r.Probability*100))
	}
	if r.Count > 0 {
		parts = append(parts, fmt.Sprintf("%d left", r.Count))
	}
	if r.To != "" {
		parts = append(parts, "to "+r.To)
	}
	if r.From != "" {
		parts = append(parts, "from "+r.From)
	}
	if r.Delay > 0 || r.Jitter > 0 {
		parts = append(parts, fmt.Sprintf("after %v", time.Duration(r.Delay)))
	}
	if r.Jitter > 0 {
		parts = append(parts, fmt.Sprintf("and up to %v more", time.Duration(r.Jitter)))
	}
	if r.HTML {
		parts = append(parts, "as HTML")
	}
	if len(parts) == 0 {
		return "every request"
	}
	return strings.Join(parts, ", ")
}

func faultLabel(f faults.Fault) string {
	switch f {
	case faults.Latency:
		return "late answer"
	case faults.WrongKey:
		return "401 invalid key"
	case faults.NoCredits:
		return "401 maximum credits exceeded"
	case faults.Blocked:
		return "403 temporarily blocked"
	case faults.WrongSender:
		return "403 sender not verified"
	case faults.BadRequest:
		return "400 invalid address"
	case faults.TooLarge:
		return "413 too large"
	case faults.TooMany:
		return "429 too many requests"
	case faults.ServerError:
		return "500 internal server error"
	case faults.BadGateway:
		return "502 bad gateway"
	case faults.Unavailable:
		return "503 service unavailable"
	case faults.GatewayTime:
		return "504 gateway timeout"
	case faults.Refuse:
		return "refused: a status and a message of your choice"
	case faults.Garbage:
		return "garbage instead of JSON"
	case faults.Hang:
		return "hang: no answer"
	case faults.Reset:
		return "connection reset"
	case faults.AcceptReset:
		return "accept the mail, then reset the connection"
	case faults.AcceptHang:
		return "accept the mail, then never answer"
	case faults.AcceptError:
		return "accept the mail, then answer 500"
	case faults.AcceptGateway:
		return "accept the mail, then answer 504"
	}
	return string(f)
}

// countRows lists the counters for the settings page.
func countRows(c Counters) []pair {
	rows := []pair{}
	add := func(name string, n int64) { rows = append(rows, pair{name, fmt.Sprint(n)}) }
	add("requests", c.Requests)
	add("mails accepted", c.Accepted)
	add("recipients", c.Recipients)
	add("pmStatsIDs accepted again", c.Doubles)
	add("validated in sandbox mode", c.Validated)
	for _, f := range faults.All() {
		if n := c.Faults[string(f)]; n > 0 {
			add("fault: "+faultLabel(f), n)
		}
	}
	for _, k := range Kinds() {
		if n := c.Events[k]; n > 0 {
			add("event: "+k.label(), n)
		}
	}
	add("webhook posts", c.Webhook.Posts)
	add("webhook posts refused", c.Webhook.Refused)
	add("events delivered to the webhook", c.Webhook.Delivered)
	add("events waiting", int64(c.Webhook.Buffered))
	add("events lost", c.Webhook.Lost)
	return rows
}
