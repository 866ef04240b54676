// Package terminal prints strangers' text so that it is safe on a terminal. A bounce reason or a subject may hold escape
// sequences, which move the cursor, set the window's title or worse, and characters that turn the direction of writing.
package terminal

import (
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Escape returns s with control characters, but newlines and tabs, and characters that change the direction of writing in
// the form \u001b, as JSON has it. Bytes that are no UTF-8 become \ufffd.
func Escape(s string) string { return string(escape(nil, []byte(s))) }

// A Writer writes what Escape returns.
type Writer struct {
	w    io.Writer
	tail []byte // a rune that has not arrived whole
}

// NewWriter returns a Writer to w. Flush must be called at the end.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write escapes p and writes it. A rune that p ends in the middle of is written with the rest of it.
func (t *Writer) Write(p []byte) (int, error) {
	text := append(t.tail, p...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if last := text[len(text)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole = len(text) - i
			}
			break
		}
	}
	_, err := t.w.Write(escape(nil, text[:whole]))
	t.tail = append([]byte(nil), text[whole:]...)
	return len(p), err
}

// Flush writes what is left.
func (t *Writer) Flush() error {
	if len(t.tail) == 0 {
		return nil
	}
	_, err := t.w.Write(escape(nil, t.tail))
	t.tail = nil
	return err
}

// Clear empties the screen, if that is where the Writer writes to.
func (t *Writer) Clear() error {
	if !Is(t.w) {
		return nil
	}
	_, err := io.WriteString(t.w, "\x1b[H\x1b[2J")
	return err
}

// Is reports whether v, a reader or a writer, is a terminal.
func Is(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func escape(dst, src []byte) []byte {
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case unsafe(r):
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, src[:size]...)
		}
		src = src[size:]
	}
	return dst
}

// unsafe reports whether a terminal would do something else with r than show it.
func unsafe(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
