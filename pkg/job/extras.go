package job

import (
	"maps"
	"slices"
	"strings"
)

// reservedHeaders are those that SendGrid writes itself and refuses from others.
var reservedHeaders = [...]string{
	"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
	"to", "from", "subject", "reply-to", "cc", "bcc",
}

// checkHeaders: values beyond ASCII must come encoded (RFC 2047), since SendGrid sends them as they are.
func (e *Email) checkHeaders() error {
	seen := make(map[string]bool, len(e.Headers))
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		field := member("headers", name)
		lower := strings.ToLower(name)
		switch {
		case !isHeaderName(name):
			return fault("headers", "has a name that is empty, or has other than printable ASCII characters, a space or a colon")
		case len(name) > MaxName:
			return fault(field, "has a name longer than %d bytes", MaxName)
		case slices.Contains(reservedHeaders[:], lower):
			return fault(field, "is a header that SendGrid reserves")
		case seen[lower]:
			return fault(field, "is given twice")
		}
		seen[lower] = true
		if err := checkASCII(field, e.Headers[name], MaxBody); err != nil {
			return err
		}
	}
	return nil
}

// checkSMTPAPI: SendGrid's X-SMTPAPI header can replace recipients, arguments and settings, past all checks of the fields
// that are made for them.
func (e *Email) checkSMTPAPI() error {
	for name := range e.Headers {
		if strings.EqualFold(name, "X-SMTPAPI") {
			return fault(member("headers", name), "is for SMTP only: use the fields for what it would set")
		}
	}
	return nil
}

// isHeaderName: RFC 5322's ftext.
func isHeaderName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return name != ""
}

func (e *Email) checkCategories() error {
	if len(e.Categories) > MaxCategories {
		return fault("categories", "has more than %d", MaxCategories)
	}
	for i, c := range e.Categories {
		field := nth("categories", i)
		if c == "" {
			return fault(field, "is empty")
		}
		if strings.ContainsRune(c, '\t') {
			return fault(field, "has a control character, such as a line break")
		}
		if err := checkASCII(field, c, MaxCategory); err != nil {
			return err
		}
		if slices.Contains(e.Categories[:i], c) {
			return fault(field, "is given twice")
		}
	}
	return nil
}

// checkArgs leaves room for postmaster's own arguments.
func (e *Email) checkArgs() error {
	for _, key := range slices.Sorted(maps.Keys(e.UniqueArgs)) {
		field, value := member("uniqueArgs", key), e.UniqueArgs[key]
		switch {
		case key == "":
			return fault("uniqueArgs", "has an empty key")
		case key == ArgStatsID || key == ArgEnvID || key == ArgFold:
			return fault(field, "is a key of postmaster's own")
		case len(key) > MaxArg:
			return fault(field, "has a key longer than %d bytes", MaxArg)
		case len(value) > MaxArg:
			return fault(field, "is longer than %d bytes", MaxArg)
		}
	}
	if size := e.ArgsSize(); size > MaxArgs {
		return fault("uniqueArgs", "makes %d bytes as JSON with postmaster's own, more than SendGrid's %d", size, MaxArgs)
	}
	return nil
}

// ArgsSize is the most bytes that the email's custom arguments take as JSON, postmaster's own among them.
func (e *Email) ArgsSize() int {
	const ours = len(`{"`+ArgStatsID+`":"","`+ArgEnvID+`":"","`+ArgFold+`":""}`) + 24 + MaxEnvironment
	size := ours + e.foldLen()
	for key, value := range e.UniqueArgs {
		size += len(`,:`) + quotedLen(key) + quotedLen(value)
	}
	return size
}
