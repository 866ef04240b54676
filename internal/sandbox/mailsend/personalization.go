package mailsend

import (
	"fmt"
	"strings"
	"time"
)

// readPersonalizations reads the envelopes. m has the request's own template,
// sender and custom args already, which the envelopes are held against.
func readPersonalizations(root node, m *Mail, now time.Time) []Personalization {
	f, ok := root.get("personalizations")
	if list, isList := f.v.([]any); !ok || isList && len(list) == 0 {
		root.at("personalizations").fail("The personalizations field is required and must have at least one personalization.")
		return nil
	}
	var all []Personalization
	recipients := 0
	for _, e := range f.elements(maxPersonalizations) {
		p := readPersonalization(e, m, now)
		recipients += len(p.To) + len(p.CC) + len(p.BCC)
		all = append(all, p)
	}
	if recipients > maxRecipients {
		f.fail(fmt.Sprintf("The total number of recipients must be no more than %d. This includes all recipients defined within the to, cc, and bcc parameters, across each object that you include in the personalizations array.", maxRecipients))
	}
	return all
}

func readPersonalization(n node, m *Mail, now time.Time) Personalization {
	var p Personalization
	if !n.object() {
		return p
	}
	p.To, p.CC, p.BCC = readRecipients(n, "to"), readRecipients(n, "cc"), readRecipients(n, "bcc")
	if to, _ := n.at("to").v.([]any); len(to) == 0 {
		n.at("to").fail("The to array is required for all personalization objects, and must have at least one email object with a valid email address.")
	}
	checkUnique(n, p)
	if f, ok := n.get("from"); ok {
		from := readSender(f)
		if domainOf(from.Email) != domainOf(m.From.Email) {
			f.fail("The from email of a personalization must be of the same domain as the from email of the request.")
		}
		p.From = &from
	}
	if f, ok := n.get("subject"); ok {
		p.Subject = readSubject(f)
	}
	if f, ok := n.get("headers"); ok {
		p.Headers = readHeaders(f)
	}
	if f, ok := n.get("send_at"); ok {
		p.SendAt = readSendAt(f, now)
	}
	if f, ok := n.get("custom_args"); ok {
		p.CustomArgs = readArgs(f)
	}
	checkArgBytes(n, m.CustomArgs, p.CustomArgs)
	checkTemplateFields(n, m.TemplateID)
	return p
}

func readRecipients(n node, key string) []Address {
	f, ok := n.get(key)
	if !ok {
		return nil
	}
	var list []Address
	for _, e := range f.elements(maxRecipients) {
		list = append(list, readAddress(e))
	}
	return list
}

func checkUnique(n node, p Personalization) {
	seen := make(map[string]bool, len(p.To)+len(p.CC)+len(p.BCC))
	for _, list := range []struct {
		key       string
		addresses []Address
	}{{"to", p.To}, {"cc", p.CC}, {"bcc", p.BCC}} {
		for _, a := range list.addresses {
			key := strings.ToLower(a.Email)
			if a.Email != "" && seen[key] {
				n.fail(fmt.Sprintf("Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [%s] in the %s.%s field.", a.Email, n.path, list.key))
				return
			}
			seen[key] = true
		}
	}
}

// checkTemplateFields reads the two ways of filling a template in, which
// belong to different kinds of template.
func checkTemplateFields(n node, templateID string) {
	dynamic := strings.HasPrefix(templateID, "d-")
	if f, ok := n.get("substitutions"); ok {
		subs := f.texts()
		if len(subs) > maxSubstitutions {
			f.fail("You are limited to 150 substitutions per personalization.")
		}
		if jsonSize(subs) > maxArgBytes {
			f.fail("The substitutions may not exceed 10000 bytes per personalization.")
		}
		if dynamic {
			f.fail("Substitutions may not be used with dynamic templating")
		}
	}
	if f, ok := n.get("dynamic_template_data"); ok && f.object() && !dynamic {
		f.fail("The dynamic_template_data field may only be used with a dynamic template.")
	}
}
