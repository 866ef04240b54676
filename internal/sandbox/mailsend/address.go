package mailsend

import (
	"net/mail"
	"strings"
)

const (
	maxLocalPart = 64
	maxDomain    = 255
)

const fromHint = `The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.`

func readFrom(root node) Address {
	f, ok := root.get("from")
	if !ok {
		root.at("from").at("email").fail(fromHint)
		return Address{}
	}
	return readSender(f)
}

// readSender reads an address that mail comes from, where SendGrid takes no
// Unicode.
func readSender(f node) Address {
	a := readAddress(f)
	if strings.ContainsFunc(a.Email, func(r rune) bool { return r > '~' }) {
		f.at("email").fail("The from email does not support Unicode characters.")
	}
	return a
}

func readReplyTo(root node) []Address {
	one, hasOne := root.get("reply_to")
	list, hasList := root.get("reply_to_list")
	if hasOne && hasList {
		list.fail("The reply_to and reply_to_list parameters cannot be used together.")
	}
	var all []Address
	if hasOne {
		all = append(all, readAddress(one))
	}
	if hasList {
		seen := make(map[string]bool)
		for _, e := range list.elements(maxReplyTo) {
			a := readAddress(e)
			if seen[strings.ToLower(a.Email)] {
				e.fail("Each email address in the reply_to_list should be unique.")
			}
			seen[strings.ToLower(a.Email)] = true
			all = append(all, a)
		}
	}
	return all
}

func readAddress(f node) Address {
	if !f.object() {
		return Address{}
	}
	var a Address
	if name, ok := f.get("name"); ok {
		a.Name = name.text()
		if strings.ContainsAny(a.Name, "\r\n") {
			name.fail("The name cannot contain newline characters.")
		}
	}
	email, ok := f.get("email")
	if !ok {
		f.at("email").fail("The email parameter is required.")
		return a
	}
	a.Email = email.text()
	if _, isText := email.v.(string); isText && !validAddress(a.Email) {
		email.fail("Does not contain a valid address.")
	}
	return a
}

// validAddress takes a bare address only: no display name, no comment, no
// quoting, nothing that two parsers would read differently.
func validAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > maxLocalPart || len(s)-at-1 > maxDomain || strings.Count(s, "@") != 1 {
		return false
	}
	if strings.ContainsAny(s[at:], "<>\", \t\r\n\f\v") {
		return false
	}
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s && parsed.Name == ""
}

func domainOf(email string) string {
	return strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
}
