package mailsend

import (
	"maps"
	"strings"
)

// reservedHeaders are set by SendGrid itself.
var reservedHeaders = []string{
	"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
	"content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
}

func readHeaders(f node) map[string]string {
	headers := f.texts()
	for key, value := range headers {
		field := f.at(key)
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			field.fail("The header name must be printable US-ASCII without spaces or colons.")
		}
		if isReservedHeader(key) {
			field.fail("The header name is reserved and cannot be used: " + key + ".")
		}
		if strings.ContainsAny(value, "\r\n") {
			field.fail("The header value cannot contain newline characters.")
		}
	}
	return headers
}

func isReservedHeader(key string) bool {
	for _, reserved := range reservedHeaders {
		if strings.EqualFold(key, reserved) {
			return true
		}
	}
	return false
}

func readArgs(f node) map[string]string {
	args := f.texts()
	if _, isObject := f.v.(map[string]any); isObject && len(args) == 0 {
		f.fail("The custom_args object must have at least one property.")
	}
	return args
}

// checkArgBytes holds the args that one envelope's events carry against the
// limit. SendGrid's pages disagree between 10,000 and 50,000 bytes: what fits
// the smaller one fits either.
func checkArgBytes(n node, global, own map[string]string) {
	merged := own
	if len(global) > 0 {
		merged = maps.Clone(global)
		maps.Copy(merged, own)
	}
	if jsonSize(merged) >= maxArgBytes {
		n.at("custom_args").fail("The custom arguments may not exceed 10000 bytes per personalization.")
	}
}

// jsonSize is the least number of bytes that args take as JSON.
func jsonSize(args map[string]string) int {
	n := 1
	for k, v := range args {
		n += len(`,:`) + quotedSize(k) + quotedSize(v)
	}
	return n
}

func quotedSize(s string) int {
	n := len(`""`) + len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
			n++
		case c < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}
