package mailsend

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// SendGrid's limits for one request.
const (
	maxPersonalizations = 1000
	maxRecipients       = 1000
	maxReplyTo          = 1000
	maxCategories       = 10
	maxCategoryLength   = 255
	maxGroupsToDisplay  = 25
	maxArgBytes         = 10_000
	maxSubstitutions    = 150
	maxSendAhead        = 72 * time.Hour
	anyNumber           = 1 << 30
)

// Parse reads a request body. Exactly one of mail and issues is set. now is
// what send_at is held against.
func Parse(body []byte, now time.Time) (mail *Mail, issues []Issue) {
	if !utf8.Valid(body) {
		return nil, []Issue{General("Invalid UTF8 in request")}
	}
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, []Issue{General("Bad Request")}
	}
	if _, ok := tree.(map[string]any); !ok {
		return nil, []Issue{General("Invalid type. Expected: object, given: " + typeName(tree) + ".")}
	}
	c := &checker{}
	m := readMail(node{c: c, v: tree}, now)
	if len(c.issues) > 0 {
		return nil, c.issues
	}
	return m, nil
}

func readMail(root node, now time.Time) *Mail {
	m := &Mail{From: readFrom(root)}
	m.ReplyTo = readReplyTo(root)
	if f, ok := root.get("template_id"); ok {
		m.TemplateID = f.text()
	}
	if f, ok := root.get("subject"); ok {
		m.Subject = readSubject(f)
	}
	if f, ok := root.get("custom_args"); ok {
		m.CustomArgs = readArgs(f)
	}
	if f, ok := root.get("headers"); ok {
		m.Headers = readHeaders(f)
	}
	if f, ok := root.get("send_at"); ok {
		m.SendAt = readSendAt(f, now)
	}
	m.Personalizations = readPersonalizations(root, m, now)
	m.Content = readContent(root, m.TemplateID)
	if f, ok := root.get("attachments"); ok {
		m.Attachments = readAttachments(f)
	}
	if f, ok := root.get("categories"); ok {
		m.Categories = readCategories(f)
	}
	if f, ok := root.get("batch_id"); ok {
		f.text()
	}
	if f, ok := root.get("sections"); ok {
		f.texts()
	}
	readSettings(root, m)
	checkSubject(root, m)
	return m
}

func readSubject(f node) string {
	s := f.text()
	if _, isText := f.v.(string); isText && s == "" {
		f.fail("The subject must be a string at least one character in length.")
	}
	if strings.ContainsAny(s, "\r\n") {
		f.fail("The subject cannot contain newline characters.")
	}
	return s
}

func checkSubject(root node, m *Mail) {
	if m.TemplateID != "" || root.at("subject").v != nil {
		return
	}
	for _, p := range m.Personalizations {
		if p.Subject == "" {
			root.at("subject").fail("The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.")
			return
		}
	}
}

func readSendAt(f node, now time.Time) int64 {
	at := f.integer()
	if time.Unix(at, 0).After(now.Add(maxSendAhead)) {
		f.fail("The send_at parameter must be within 72 hours from now.")
	}
	return at
}

func readCategories(f node) []string {
	var categories []string
	seen := make(map[string]bool)
	for _, e := range f.elements(maxCategories) {
		s := e.text()
		if len(s) > maxCategoryLength {
			e.fail("Each category name cannot exceed 255 characters.")
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			e.fail("The category name must be printable US-ASCII.")
		}
		if seen[s] {
			e.fail("Each category must be unique.")
		}
		seen[s] = true
		categories = append(categories, s)
	}
	return categories
}
