package api

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestEachFieldOfAnEmailIsOfAFingerprintVersion(t *testing.T) {
	t.Parallel()
	counted := slices.Clone(uncounted)
	for _, fields := range fingerprintFields {
		counted = append(counted, fields...)
	}
	if names := memberNames(job.Email{}); !sameNames(slices.Clone(counted), names) {
		t.Errorf("fields %v, counted %v: add new ones to a new version of fingerprintFields", names, counted)
	}
}

// What 25f7307 stored stays a match: its fingerprints have 32 bytes and no version.
func TestTheFirstFingerprintNeverChanges(t *testing.T) {
	t.Parallel()
	ticket, err := newTicket([]byte(`{"to":"a@b.c","from":"d@e.f","subject":"s","text":"t","headers":{"X-A":"1"},"templateID":"d-1",` +
		`"templateData":{"b":[1.0],"a":1},"attachments":[{"content":"QUJD","filename":"f"}],"flags":4,"idempotencyKey":"k"}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "00afbfe134514a4d341ddb556186c40727dd11b48b92dd9abba368741eb7cfa2"
	if got := hex.EncodeToString(ticket.print[:firstPart]); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
}

// newer is an email with a field that version 1 does not count.
type newer struct {
	To    string `json:"to"`
	Extra string `json:"extra,omitempty"`
}

func TestFingerprintsOfTwoVersionsAreComparedByTheOldersFields(t *testing.T) {
	t.Parallel()
	versions := [][]string{{"to"}, {"extra"}}
	print := func(versions [][]string, to, extra string) fingerprint {
		t.Helper()
		first := make(fingerprint, firstPart)
		copy(first, to) // stands for the hash of version 1's fields
		f, err := laterFingerprints(first, newer{To: to, Extra: extra}, versions)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	old, new := versions[:1], versions
	for _, c := range []struct {
		name string
		a, b fingerprint
		want bool
	}{
		{"old and new, the same", print(old, "a", ""), print(new, "a", ""), true},
		{"old and new, with a field that old does not know", print(old, "a", ""), print(new, "a", "x"), true},
		{"old and new, another recipient", print(old, "a", ""), print(new, "b", "x"), false},
		{"new and new, the same", print(new, "a", "x"), print(new, "a", "x"), true},
		{"new and new, the new field differs", print(new, "a", "x"), print(new, "a", "y"), false},
		{"new and new, without and with the new field", print(new, "a", ""), print(new, "a", "y"), false},
	} {
		if c.a.matches(c.b) != c.want || c.b.matches(c.a) != c.want {
			t.Errorf("%s: matches %v, want %v", c.name, c.a.matches(c.b), c.want)
		}
	}
	if (fingerprint{}).matches(fingerprint{}) {
		t.Error("no fingerprint matches another")
	}
}
