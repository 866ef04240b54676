package job

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkText checks what ends up in one line of a mail's header: bounded, UTF-8, and nothing that starts a new line,
// ends a string or turns the order of the letters around.
func checkText(field, s string, maxBytes int) error {
	if len(s) > maxBytes {
		return fault(field, "is longer than %d bytes", maxBytes)
	}
	if !utf8.ValidString(s) {
		return fault(field, "is not UTF-8")
	}
	if strings.ContainsFunc(s, isControl) {
		return fault(field, "has a control character, such as a line break")
	}
	return nil
}

// checkName is checkText for what people read to know whom or what they deal with.
func checkName(field, s string, maxBytes int) error {
	if err := checkText(field, s, maxBytes); err != nil {
		return err
	}
	return checkDirection(field, s)
}

// checkDirection keeps a text from looking like another one.
func checkDirection(field, s string) error {
	if strings.ContainsFunc(s, isBidiControl) {
		return fault(field, "has a character that changes the direction of writing")
	}
	return nil
}

func checkASCII(field, s string, maxBytes int) error {
	if err := checkText(field, s, maxBytes); err != nil {
		return err
	}
	if !isASCII(s) {
		return fault(field, "must be ASCII")
	}
	return nil
}

func isControl(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isBidiControl: the embeddings, overrides and isolates. The harmless marks (U+200E, U+200F) are part of honest names.
func isBidiControl(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
