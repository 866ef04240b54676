package job_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

// TestFoldHasTheseValues are test vectors: events of emails already sent carry such values.
func TestFoldHasTheseValues(t *testing.T) {
	t.Parallel()
	const id = "6920d5c40000000000000001"
	for _, c := range []struct {
		email job.Email
		want  string
	}{
		{job.Email{ID: id, To: "to@example.com"}, "1.0.N6Di"},
		{job.Email{ID: id, To: "TO@Example.COM", Flags: 6}, "1.6.N6Di"},
		{job.Email{ID: id, To: "to@example.com", Flags: 6, CC: []job.Address{{Email: "cc@example.com"}}, BCC: []job.Address{{Email: "bcc@example.com"}}}, "1.6.N6DiilnBrrHe"},
		{job.Email{ID: id, To: "kunde@bücher.example"}, "1.0.s-2d"},
		{job.Email{ID: id, To: "kunde@xn--bcher-kva.example"}, "1.0.s-2d"},
		{job.Email{ID: "6920d5c40000000000000002", To: "to@example.com", Flags: -1 << 63}, "1.-9223372036854775808.MhEv"},
	} {
		if got := c.email.Fold(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.email, got, c.want)
		}
	}
}

func TestFoldTellsRecipientsFromOthers(t *testing.T) {
	t.Parallel()
	e := job.Email{ID: job.NewID(), To: "to@example.com", Flags: 4, CC: []job.Address{{Email: "Cc@example.com"}}, BCC: []job.Address{{Email: "bcc@example.com"}}}
	f, ok := job.ParseFold(e.ID, e.Fold())
	if !ok || f.Flags != 4 {
		t.Fatalf("%+v, %v", f, ok)
	}
	for address, want := range map[string][2]bool{
		"TO@example.com": {true, true}, "cc@EXAMPLE.com": {false, true}, "bcc@example.com": {false, true}, "other@example.com": {}, "": {},
	} {
		if got := [2]bool{f.IsTo(address), f.Has(address)}; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if other, ok := job.ParseFold(job.NewID(), e.Fold()); !ok || other.Has("to@example.com") {
		t.Errorf("the hash of one email counts for another: %v", ok)
	}
}

func TestFoldOfAnotherVersionOrDamagedIsNone(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "1", "1.4", "1.4.", "1.4.abc", "1.4.abcde", "1.x.abcd", "2.4.abcd", "1.99999999999999999999.abcd"} {
		if f, ok := job.ParseFold(job.NewID(), value); ok {
			t.Errorf("%q: %+v", value, f)
		}
	}
}

func TestFoldOfAThousandRecipientsLeavesRoomForArguments(t *testing.T) {
	t.Parallel()
	e := job.Email{ID: job.NewID(), To: "to@example.com"}
	for i := range job.MaxRecipients - 1 {
		e.CC = append(e.CC, job.Address{Email: fmt.Sprintf("p%d@example.com", i)})
	}
	fold := e.Fold()
	if len(fold) > 4100 {
		t.Errorf("%d bytes", len(fold))
	}
	if size := e.ArgsSize(); size < len(fold) || size > job.MaxArgs/2 {
		t.Errorf("arguments take %d bytes", size)
	}
	e.UniqueArgs = map[string]string{}
	for i := range 25 {
		e.UniqueArgs[fmt.Sprint(i)] = strings.Repeat("x", job.MaxArg)
	}
	if e.ArgsSize() <= job.MaxArgs {
		t.Error("what the fold takes is not counted")
	}
}
