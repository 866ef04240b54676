package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
	"github.com/levenlabs/postmaster/internal/sandbox/webhook"
)

type pair struct{ Name, Value string }

func pairs(m map[string]string) []pair {
	var all []pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, pair{name, m[name]})
	}
	return all
}

type badge struct {
	Name  string
	Class string
	Count int
}

// class is how a kind is coloured.
func (k Kind) class() string {
	switch k {
	case Delivered, Open, Click, GroupResubscribe:
		return "good"
	case Deferred, Unsubscribe, GroupUnsubscribe:
		return "warn"
	case Bounce, Blocked, Dropped, SpamReport:
		return "bad"
	}
	return "plain"
}

func (k Kind) label() string {
	if k == SpamReport {
		return "spam report"
	}
	return strings.ReplaceAll(string(k), "_", " ")
}

// badges sums a mail's events up. Once something more telling has happened,
// processed is left out.
func badges(events []Event) []badge {
	counts := make(map[Kind]int)
	for _, e := range events {
		counts[e.Kind]++
	}
	var all []badge
	for _, k := range Kinds() {
		if n := counts[k]; n > 0 && (k != Processed || len(counts) == 1) {
			all = append(all, badge{k.label(), k.class(), n})
		}
	}
	return all
}

type mailRow struct {
	ID, Time, Stamp, From, To, Subject string
	MoreTo                             int
	Badges                             []badge
}

func newMailRow(m Mail) mailRow {
	recipients := m.Recipients()
	subject := m.Subject()
	if subject == "" {
		subject = "(template " + m.Envelope.TemplateID + ")"
	}
	return mailRow{
		ID:      m.ID,
		Time:    m.AcceptedAt.Format(time.TimeOnly),
		Stamp:   m.AcceptedAt.Format(time.RFC3339),
		From:    m.Envelope.From.String(),
		To:      recipients[0].String(),
		MoreTo:  len(recipients) - 1,
		Subject: subject,
		Badges:  badges(m.Events),
	}
}

type envelopeView struct {
	Number      int // 0 when there is only one
	Subject     string
	To, CC, BCC []mailsend.Address
	Args        []pair
}

type kindView struct {
	Kind         Kind
	Label, Class string
}

type eventView struct {
	ID, Time, Stamp, Email, Reason, JSON string
	Badge                                badge
	Answer, AnswerClass                  string
}

type mailView struct {
	Row            mailRow
	From           mailsend.Address
	ReplyTo        []mailsend.Address
	Envelopes      []envelopeView
	Recipients     []mailsend.Address
	ManyRecipients bool
	Categories     []string
	TemplateID     string
	Accepted       string
	HasHTML        bool
	Text           string
	OtherParts     []mailsend.Content
	Attachments    []mailsend.Attachment
	Headers        []pair
	Events         []eventView
	Kinds          []kindView
	JSON           string
	BodySize       int
}

func newMailView(m Mail) mailView {
	whole := m.Request()
	v := mailView{
		Row:         newMailRow(m),
		From:        whole.From,
		ReplyTo:     whole.ReplyTo,
		Recipients:  m.Recipients(),
		Categories:  whole.Categories,
		TemplateID:  whole.TemplateID,
		Accepted:    m.AcceptedAt.Format("2006-01-02 15:04:05 MST"),
		HasHTML:     whole.Body("text/html") != "",
		Text:        cut(whole.Body("text/plain"), maxShown),
		Attachments: whole.Attachments,
		Headers:     pairs(whole.Headers),
		JSON:        prettyJSON(m.Body),
		BodySize:    len(m.Body),
	}
	v.ManyRecipients = len(v.Recipients) > 1
	for i, p := range whole.Personalizations {
		e := envelopeView{Subject: p.Subject, To: p.To, CC: p.CC, BCC: p.BCC, Args: pairs(whole.Args(i))}
		if len(whole.Personalizations) > 1 {
			e.Number = i + 1
		}
		v.Envelopes = append(v.Envelopes, e)
		v.Headers = append(v.Headers, pairs(p.Headers)...)
	}
	for _, c := range whole.Content {
		if c.Type != "text/plain" && c.Type != "text/html" {
			v.OtherParts = append(v.OtherParts, mailsend.Content{Type: c.Type, Value: cut(c.Value, maxShown)})
		}
	}
	for _, e := range m.Events {
		v.Events = append(v.Events, newEventView(e))
	}
	for _, k := range Kinds() {
		v.Kinds = append(v.Kinds, kindView{k, k.label(), k.class()})
	}
	return v
}

func newEventView(e Event) eventView {
	v := eventView{
		ID:    e.ID,
		Time:  e.At.Format(time.TimeOnly),
		Stamp: e.At.Format(time.RFC3339),
		Email: e.Email,
		JSON:  prettyJSON(e.JSON),
		Badge: badge{e.Kind.label(), e.Kind.class(), 1},
	}
	var fields struct{ Reason, Response string }
	if json.Unmarshal(e.JSON, &fields) == nil && e.Kind != Delivered {
		v.Reason = fields.Reason + fields.Response
	}
	v.Answer, v.AnswerClass = e.answer()
	return v
}

// answer says in a few words what the webhook thinks of the event.
func (e Event) answer() (text, class string) {
	times := ""
	if e.Posts > 1 {
		times = fmt.Sprintf(" (%d posts)", e.Posts)
	}
	switch {
	case e.Error == webhook.ErrNoWebhook.Error():
		return "no webhook", ""
	case e.Posts == 0:
		return "posting", ""
	case e.Answered:
		return strconv.Itoa(e.Status) + times, "good"
	case e.Status == 0:
		return "no answer" + times, "bad"
	default:
		return strconv.Itoa(e.Status) + ", will retry" + times, "bad"
	}
}
