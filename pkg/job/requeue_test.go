package job_test

import (
	"encoding/json"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Each death of a job has a letter of its own, whatever the job is.
func TestEachDeathHasALetterOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contents string
		events         []string // the job's, death by death
	}{
		{"an email", `{"id":"0123456789abcdef01234567","to":"ann@example.com"}`, []string{"x", "x", "x"}},
		{"an email with white space", "{ \"to\": \"a\",\n \"n\": 12345678901234567890 } \n", []string{"x", "x", "x"}},
		{"nothing", "{}", []string{"x", "x", "x"}},
		{"a batch of events", `[{"event":"open"}]`, []string{"x", "x.2", "x.3"}},
		{"no JSON", "{not json", []string{"x", "x.2", "x.3"}},
	} {
		event, contents := "x", []byte(c.contents)
		for i, want := range []string{"x", "x.2", "x.3"} {
			if event != c.events[i] {
				t.Errorf("%s: requeued as %q, want %q", c.name, event, c.events[i])
			}
			n := job.Deaths(event, contents) + 1
			if got := job.LetterID(event, contents, n); got != want || job.EmailID(got) != "x" {
				t.Errorf("%s: letter %d is %q of email %q, want %q", c.name, i+1, got, job.EmailID(got), want)
			}
			letter := &job.DeadLetter{ID: event, Deaths: n}
			letter.SetContents(contents)
			encoded, err := letter.Encode()
			if err == nil {
				letter, err = job.DecodeDeadLetter(encoded)
			}
			if err != nil {
				t.Fatal(err)
			}
			event, contents = letter.Requeued()
			if json.Valid([]byte(c.contents)) != json.Valid(contents) {
				t.Errorf("%s: became %q", c.name, contents)
			}
		}
	}
}

// A letter of a worker that did not count deaths was the first.
func TestALetterWithoutANumberWasTheFirst(t *testing.T) {
	t.Parallel()
	letter := job.DeadLetter{ID: "x", Job: []byte(`{"to":"a","extra":1e400}`)}
	id, contents := letter.Requeued()
	if want := `{"to":"a","extra":1e400,"deaths":1}`; id != "x" || string(contents) != want {
		t.Errorf("%s %s, want %s", id, contents, want)
	}
	if n := job.Deaths(id, contents); n != 1 {
		t.Errorf("%d deaths", n)
	}
}
