package job

import (
	"mime"
	"strings"
)

func (e *Email) checkAttachments() error {
	for i := range e.Attachments {
		if err := e.Attachments[i].check(nth("attachments", i)); err != nil {
			return err
		}
	}
	return nil
}

func (a *Attachment) check(field string) error {
	if a.Content == "" {
		return fault(field+".content", "is required")
	}
	if !isBase64(a.Content) {
		return fault(field+".content", "is not base64 (padded, without line breaks)")
	}
	if a.Filename == "" {
		return fault(field+".filename", "is required")
	}
	if err := checkParameter(field+".filename", a.Filename); err != nil {
		return err
	}
	if err := checkMediaType(field+".type", a.Type); err != nil {
		return err
	}
	if err := checkParameter(field+".contentID", a.ContentID); err != nil {
		return err
	}
	return checkChoice(field+".disposition", a.Disposition, "attachment", "inline")
}

// checkMediaType allows parameters: an invitation is text/calendar; method=REQUEST.
func checkMediaType(field, value string) error {
	if err := checkName(field, value, MaxFilename); err != nil {
		return err
	}
	if !strings.ContainsRune(value, ';') {
		return nil
	}
	if _, _, err := mime.ParseMediaType(value); err != nil {
		return fault(field, "is not a media type with parameters, such as text/calendar; method=REQUEST")
	}
	return nil
}

func checkParameter(field, value string) error {
	if err := checkName(field, value, MaxFilename); err != nil {
		return err
	}
	if strings.ContainsRune(value, ';') {
		return fault(field, "has a semicolon")
	}
	return nil
}

// isBase64 tells whether s is the standard encoding, padded, of at least one byte, without decoding it anywhere.
func isBase64(s string) bool {
	if len(s) == 0 || len(s)%4 != 0 {
		return false
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	for i := range len(s) {
		if !base64Chars[s[i]] {
			return false
		}
	}
	return s != ""
}

var base64Chars = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		set[c] = true
	}
	return set
}()
