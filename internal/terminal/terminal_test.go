package terminal

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestNothingButTextReachesATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ünïcode\tand 👩‍👧\n":          "plain, ünïcode\tand 👩‍👧\n",
		"\x1b]0;title\a\x1b[2J":              `\u001b]0;title\u0007\u001b[2J`,
		"\u009b2J":                           `\u009b2J`,
		"a\rb\x00c\x7f":                      `a\u000db\u0000c\u007f`,
		"gpj.\u202eexe":                      `gpj.\u202eexe`,
		"\u2066x\u2069 \u200f \u061c \u2028": `\u2066x\u2069 \u200f \u061c \u2028`,
		"\xff\xfe":                           `\ufffd\ufffd`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestJSONStaysTheSameValue(t *testing.T) {
	in := map[string]string{"reason": "\x1b[2J \u202e \u009b \u2028"}
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := json.NewEncoder(w).Encode(in); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["reason"] != in["reason"] {
		t.Errorf("%s: %q, %v", b.Bytes(), got["reason"], err)
	}
}

func FuzzWriter(f *testing.F) {
	f.Add([]byte("ü\x1b[2J\u202e\xff"), 3)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		if cut < 0 || cut > len(in) {
			return
		}
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Write(in[:cut]) //nolint:errcheck // a buffer takes all
		w.Write(in[cut:]) //nolint:errcheck // the same
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if b.String() != Escape(string(in)) {
			t.Errorf("%q in two writes: %q, in one: %q", in, b.String(), Escape(string(in)))
		}
		for _, r := range b.String() {
			if unsafe(r) || !utf8.ValidString(b.String()) {
				t.Errorf("%q has %q", b.String(), r)
			}
		}
	})
}
