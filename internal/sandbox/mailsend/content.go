package mailsend

import (
	"encoding/base64"
	"io"
	"mime"
	"strings"
)

func readContent(root node, templateID string) []Content {
	f, ok := root.get("content")
	if !ok {
		if templateID == "" {
			root.at("content").fail("Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required.")
		}
		return nil
	}
	elements := f.elements(anyNumber)
	if list, isList := f.v.([]any); isList && len(list) == 0 {
		f.fail("The content parameter must have at least one content block.")
	}
	var all []Content
	for _, e := range elements {
		if e.object() {
			all = append(all, readPart(e))
		}
	}
	checkOrder(f, all)
	return all
}

func readPart(e node) Content {
	part := Content{Type: required(e, "type"), Value: required(e, "value")}
	if strings.ContainsAny(part.Type, "\r\n") || strings.Contains(part.Type, ";") && !isCalendar(part.Type) {
		e.at("type").fail("The content type cannot contain ';', or CRLF characters.")
	}
	return part
}

// required reads a string of at least one character.
func required(n node, key string) string {
	f, ok := n.get(key)
	if !ok {
		n.at(key).fail("The " + n.path + "." + key + " parameter is required.")
		return ""
	}
	s := f.text()
	if _, isText := f.v.(string); isText && s == "" {
		f.fail("The " + key + " must be a string at least one character in length.")
	}
	return s
}

// checkOrder: text/plain comes first, then text/html, then all else.
func checkOrder(f node, parts []Content) {
	rank := func(p Content) int {
		switch p.Type {
		case "text/plain":
			return 0
		case "text/html":
			return 1
		default:
			return 2
		}
	}
	for i := 1; i < len(parts); i++ {
		if rank(parts[i]) < rank(parts[i-1]) {
			f.fail("If present, text/plain and text/html may only be provided once, in that order, before any other content.")
			return
		}
	}
}

func readAttachments(f node) []Attachment {
	var all []Attachment
	for _, e := range f.elements(anyNumber) {
		if e.object() {
			all = append(all, readAttachment(e))
		}
	}
	return all
}

func readAttachment(e node) Attachment {
	a := Attachment{Filename: required(e, "filename"), Size: decodedSize(e)}
	noBreaks(e.at("filename"), a.Filename)
	if f, ok := e.get("type"); ok {
		a.Type = required(e, "type")
		if !isMediaType(a.Type) {
			f.fail("The attachment type cannot contain ';', or CRLF characters.")
		}
	}
	if f, ok := e.get("disposition"); ok {
		a.Disposition = f.text()
		if a.Disposition != "inline" && a.Disposition != "attachment" {
			f.fail(`The disposition of your attachment can be either "inline" or "attachment".`)
		}
	}
	if f, ok := e.get("content_id"); ok {
		a.ContentID = f.text()
		noBreaks(f, a.ContentID)
	}
	return a
}

// isMediaType reports whether SendGrid takes s as an attachment's type.
func isMediaType(s string) bool {
	if strings.ContainsAny(s, "\r\n") {
		return false
	}
	_, _, err := mime.ParseMediaType(s)
	return err == nil || !strings.Contains(s, ";")
}

// isCalendar: SendGrid's documentation allows no parameters, but SendGrid takes those of an invitation, in content and
// attachments. https://github.com/sendgrid/sendgrid-ruby/issues/298
func isCalendar(s string) bool {
	mediaType, _, err := mime.ParseMediaType(s)
	return err == nil && mediaType == "text/calendar"
}

func noBreaks(f node, s string) {
	if strings.ContainsAny(s, ";\r\n") {
		f.fail("The " + f.path + " parameter cannot contain ';', or CRLF characters.")
	}
}

// decodedSize streams through the content, which may be 20 MB, and keeps none.
func decodedSize(e node) int64 {
	content := required(e, "content")
	size, err := io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, strings.NewReader(content)))
	if err != nil {
		e.at("content").fail("The attachment content must be base64 encoded.")
	}
	return size
}
