package sendgrid

import (
	"unicode/utf8"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/sendgrid-go/helpers/mail"
)

// sizeOf estimates the bytes of e's large parts, generously enough that appending them seldom grows the buffer.
func sizeOf(e *job.Email) int {
	text := len(e.Text) + len(e.HTML)
	n := text + text/8 + 128
	for _, a := range e.Attachments {
		n += len(a.Content) + len(a.Filename) + len(a.Type) + len(a.ContentID) + 128
	}
	return n
}

// grow returns dst with room for n bytes more.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

func appendContent(dst []byte, contents []*mail.Content) []byte {
	if len(contents) == 0 {
		return dst
	}
	dst = append(dst, `,"content":[`...)
	for i, c := range contents {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":`...)
		dst = appendString(dst, c.Type)
		dst = append(dst, `,"value":`...)
		dst = appendString(dst, c.Value)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendAttachments(dst []byte, attachments []job.Attachment) []byte {
	if len(attachments) == 0 {
		return dst
	}
	dst = append(dst, `,"attachments":[`...)
	for i, a := range attachments {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"content":`...)
		dst = appendString(dst, a.Content)
		dst = appendField(dst, "filename", a.Filename)
		dst = appendField(dst, "type", a.Type)
		dst = appendField(dst, "disposition", a.Disposition)
		dst = appendField(dst, "content_id", a.ContentID)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}

// appendString appends s as a JSON string, escaping what RFC 8259 says must be and nothing else.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0 // of what is still to be copied
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default: // not UTF-8, which SendGrid answers 400
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
