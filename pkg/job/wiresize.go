package job

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// checkWireSize bounds the request that SendGrid gets, where attachments count as base64. It overestimates a little:
// what other limits keep small is counted as if it were as large as they allow.
func (e *Email) checkWireSize() error {
	const others = 32 << 10 // subject, from, to, categories, custom arguments and all names of fields
	if e.surelySmall(MaxWire - others) {
		return nil
	}
	type part struct {
		field string
		size  int
	}
	parts := [...]part{
		{"html", quotedLen(e.HTML)},
		{"text", quotedLen(e.Text)},
		{"cc", listSize(e.CC)},
		{"bcc", listSize(e.BCC)},
		{"headers", headersSize(e.Headers)},
		{"attachments", attachmentsSize(e.Attachments)},
		{"templateData", len(e.TemplateData)},
	}
	total := others
	for _, p := range parts {
		total += p.size
	}
	if total <= MaxWire {
		return nil
	}
	largest := slices.MaxFunc(parts[:], func(a, b part) int { return cmp.Compare(a.size, b.size) })
	return fault(largest.field, "makes the mail larger than 30 MB, attachments as base64")
}

// surelySmall spares most mails the counting: no byte takes more than six.
func (e *Email) surelySmall(limit int) bool {
	return len(e.CC)+len(e.BCC)+len(e.Headers)+len(e.Attachments) == 0 && 6*(len(e.HTML)+len(e.Text)+len(e.TemplateData)) <= limit
}

// around is more than the JSON around the values of a list's element.
const around = 96

func listSize(list []Address) int {
	n := 0
	for _, a := range list {
		n += around + quotedLen(a.Email) + quotedLen(a.Name)
	}
	return n
}

func headersSize(headers map[string]string) int {
	n := 0
	for name, value := range headers {
		n += around + quotedLen(name) + quotedLen(value)
	}
	return n
}

func attachmentsSize(list []Attachment) int {
	n := 0
	for _, a := range list {
		n += around + len(a.Content) + quotedLen(a.Filename) + quotedLen(a.Type) + quotedLen(a.ContentID)
	}
	return n
}

// quotedLen is how long s is as a JSON string, with nothing escaped that need not be.
func quotedLen(s string) int {
	n := len(s) + len(`""`)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
			n++
		case c < ' ':
			n += len(`\u0000`) - 1
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == '\u2028' || r == '\u2029' || r == utf8.RuneError && size == 1 {
				n += len(`\u2028`) - size
			}
			i += size - 1
		}
	}
	return n
}
