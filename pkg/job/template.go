package job

import (
	"bytes"
	"encoding/json"
	"strings"
)

func (e *Email) checkTemplate() error {
	if err := checkASCII("templateID", e.TemplateID, MaxTemplateID); err != nil {
		return err
	}
	if strings.ContainsAny(e.TemplateID, " \t") {
		return fault("templateID", "has a space")
	}
	if !e.HasTemplateData() {
		return nil
	}
	if !strings.HasPrefix(e.TemplateID, DynamicTemplate) {
		return fault("templateData", "needs a templateID that begins with %q", DynamicTemplate)
	}
	data := bytes.TrimLeft(e.TemplateData, " \t\r\n")
	if data[0] != '{' || !json.Valid(data) {
		return fault("templateData", "must be an object")
	}
	if hasLoneSurrogate(data) {
		return fault("templateData", `has half of a \u pair, which is not a character`)
	}
	return nil
}

// HasTemplateData tells whether there is any; null is none.
func (e *Email) HasTemplateData() bool {
	data := bytes.TrimSpace(e.TemplateData)
	return len(data) > 0 && string(data) != "null"
}

// hasLoneSurrogate looks for a UTF-16 surrogate that is escaped without its other half. Go reads one as U+FFFD, but
// template data travels unread, and SendGrid refuses what is not UTF-8.
func hasLoneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 >= len(data) {
			return false
		}
		data = data[i:]
		switch {
		case isEscape(data, "89ab"):
			if !isEscape(data[6:], "cdef") {
				return true
			}
			data = data[12:]
		case isEscape(data, "cdef"):
			return true
		default:
			data = data[2:]
		}
	}
}

// isEscape tells whether data begins with \uDhxx where h is one of third, in either case.
func isEscape(data []byte, third string) bool {
	return len(data) >= 6 && data[0] == '\\' && data[1] == 'u' && data[2]|0x20 == 'd' &&
		strings.IndexByte(third, lowerHex(data[3])) >= 0
}

func lowerHex(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return c | 0x20
	}
	return c
}
