package job_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestSpellingsOfAMailboxHaveOneKey(t *testing.T) {
	t.Parallel()
	for key, spellings := range map[string][]string{
		"ann@example.com":             {"ann@example.com", "Ann@Example.COM", "ann@ＥＸＡＭＰＬＥ.com", "ann@example。com"},
		"kunde@xn--bcher-kva.example": {"kunde@bücher.example", "Kunde@BÜCHER.example", "kunde@bu\u0308cher.example", "KUNDE@XN--BCHER-KVA.Example"},
		"jos\u00e9@example.com":       {"jose\u0301@example.com", "JOS\u00c9@example.com", "JOSE\u0301@EXAMPLE.com"},
		"a@xn--strae-oqa.example":     {"a@straße.example", "a@STRAẞE.example", "a@xn--strae-oqa.example"},
		"a@strasse.example":           {"a@Strasse.example"},
		"a@xn--ls8h.la":               {"a@💩.la"},
		"a@my_host.xn--bcher-kva.org": {"a@My_Host.bücher.org"},
		"b@r3---sn-x.example.com":     {"b@R3---sn-x.example.com"},
		"a@[192.0.2.1]":               {"a@[192.0.2.1]"},
		"a@test":                      {"a@TEST", "a@ｔｅｓｔ"},
		"postmaster":                  {"Postmaster"},
		"":                            {""},
		// A domain that cannot be converted is in lower case, and still one mailbox in its spellings.
		"a@xn--\u00fc.example":         {"a@XN--\u00dc.example", "a@xn--u\u0308.example"},
		"a@\u0300b.example":            {"A@\u0300B.example"},
		"a@xn--99999999.example":       {"a@XN--99999999.example"},
		"\"a@\u00fc\"@xn--tda.example": {"\"A@\u00dc\"@\u00fc.example"},
	} {
		for _, s := range append(spellings, key) {
			if got := job.Key(s); got != key {
				t.Errorf("Key(%+q) = %+q, want %+q", s, got, key)
			}
		}
	}
}

func TestSpellingsBeginWithTheKeyAndHoldTheUnicodeForm(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][]string{
		"ann@example.com":             {"ann@example.com"},
		"Ann@example.com":             {"ann@example.com", "Ann@example.com"},
		"kunde@xn--bcher-kva.example": {"kunde@xn--bcher-kva.example", "kunde@bücher.example"},
		"Kunde@Bücher.example":        {"kunde@xn--bcher-kva.example", "kunde@bücher.example", "Kunde@Bücher.example"},
		"kunde@bu\u0308cher.example":  {"kunde@xn--bcher-kva.example", "kunde@bücher.example", "kunde@bu\u0308cher.example"},
		"a@xn--99999999.example":      {"a@xn--99999999.example"},
	} {
		if got := job.Spellings(address); !slices.Equal(got, want) {
			t.Errorf("Spellings(%+q) = %+q, want %+q", address, got, want)
		}
	}
}

// FuzzKey: a key is its own key, and that of the address in lower case, which 25f7307 stored preferences under.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"a@b", "Kunde@Bücher.example", "x@xn--bcher-kva.example", "a@İ.com", "İ@K.com", "a@xn--ü", "ß@ß", "a\u0301\u0327@a\u0327\u0301", "a@\u200d", "@@", "a@xn--a", "a@ᾳ\u0345", "a@ß\u0301.Σς"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		key := job.Key(address)
		if again := job.Key(key); again != key {
			t.Errorf("the key of %+q is %+q, and that of the key %+q", address, key, again)
		}
		if lower := job.Key(strings.ToLower(address)); lower != key {
			t.Errorf("the key of %+q is %+q, and %+q in lower case", address, key, lower)
		}
		if !utf8.ValidString(address) {
			return
		}
		for _, s := range job.Spellings(address) {
			if got := job.Key(s); got != key {
				t.Errorf("the key of %+q is %+q, and of its spelling %+q %+q", address, key, s, got)
			}
		}
	})
}

func BenchmarkKey(b *testing.B) {
	for b.Loop() {
		job.Key("Alexandra.Example@mail.example.com")
	}
}
