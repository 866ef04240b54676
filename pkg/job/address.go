package job

import (
	"net/mail"
	"strings"
	"unicode"
)

// ValidateAddress checks an address that preferences are kept for.
func ValidateAddress(field, address string) error {
	if address == "" {
		return fault(field, "is required")
	}
	return checkAddress(field, address)
}

// checkAddress: an address is what net/mail.ParseAddress reads back unchanged, so there is no name, comment or quoting
// in it. Letters beyond ASCII are allowed, as SendGrid documents a limit only for the sender's.
func checkAddress(field, address string) error {
	if len(address) > MaxAddress {
		return fault(field, "is longer than %d bytes", MaxAddress)
	}
	if strings.ContainsFunc(address, invisible) {
		return fault(field, "has a space, or a character that cannot be seen")
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return fault(field, "is not an email address")
	}
	if strings.LastIndexByte(address, '@') > MaxLocalPart {
		return fault(field, "has more than %d bytes before the @", MaxLocalPart)
	}
	return nil
}

func invisible(r rune) bool {
	return r == unicode.ReplacementChar || unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z)
}

func (e *Email) checkTo() error {
	if e.To == "" {
		return fault("to", "is required")
	}
	if err := checkRecipient("to", e.To); err != nil {
		return err
	}
	return checkName("toName", e.ToName, MaxName)
}

func checkRecipient(field, address string) error {
	if err := checkAddress(field, address); err != nil {
		return err
	}
	if strings.HasSuffix(Key(address), testDomain) {
		return fault(field, "ends in %s: such mail is never sent", testDomain)
	}
	return nil
}

func (e *Email) checkFrom() error {
	if e.From == "" {
		return fault("from", "is required")
	}
	if !isASCII(e.From) {
		return fault("from", "must be ASCII: SendGrid takes no other sender")
	}
	if err := checkAddress("from", e.From); err != nil {
		return err
	}
	return checkName("fromName", e.FromName, MaxName)
}

func (e *Email) checkReplyTo() error {
	if e.ReplyTo == "" {
		return nil
	}
	return checkAddress("replyTo", e.ReplyTo)
}

// checkCopies checks cc and bcc, and that nobody is among the recipients twice.
func (e *Email) checkCopies() error {
	if len(e.CC)+len(e.BCC) == 0 {
		return nil
	}
	seen := map[string]bool{Key(e.To): true}
	if err := checkList("cc", e.CC, seen); err != nil {
		return err
	}
	return checkList("bcc", e.BCC, seen)
}

func checkList(field string, list []Address, seen map[string]bool) error {
	if len(seen)+len(list) > MaxRecipients {
		return fault(field, "makes more than %d recipients with to and the other copies", MaxRecipients)
	}
	for i, a := range list {
		name := nth(field, i) + ".email"
		if a.Email == "" {
			return fault(name, "is required")
		}
		if err := checkRecipient(name, a.Email); err != nil {
			return err
		}
		key := Key(a.Email)
		if seen[key] {
			return fault(name, "is given twice among to, cc and bcc")
		}
		seen[key] = true
		if err := checkName(nth(field, i)+".name", a.Name, MaxName); err != nil {
			return err
		}
	}
	return nil
}
