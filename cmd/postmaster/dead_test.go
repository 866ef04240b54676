package main

import (
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// answer runs postmaster with somebody at the terminal who types answer.
func answer(t *testing.T, answer string, args ...string) (out string, err error) {
	t.Helper()
	return runWith(t.Context(), strings.NewReader(answer), args...)
}

// Many letters are not requeued, and none is dropped, unless somebody says yes.
func TestDeadAsksFirst(t *testing.T) {
	world(t)
	for _, no := range []string{"", "n\n", "yesterday\n"} {
		for _, verb := range []string{"requeue", "drop"} {
			out, err := answer(t, no, "dead", verb, "--all")
			if err == nil || err.Error() != "nothing was done" || !strings.Contains(out, verb+" 3 of email-dead? [y/N]") {
				t.Errorf("dead %s, answered %q: printed %q, %v", verb, no, out, err)
			}
		}
	}
	if out, err := answer(t, "n\n", "dead", "drop", "6920d5c40000000000000001"); err == nil {
		t.Errorf("one letter was dropped without a yes: %q", out)
	}
	if out, err := answer(t, "", "dead", "requeue", "6920d5c40000000000000001"); err != nil {
		t.Errorf("one letter that was named is not worth a question: %q %v", out, err)
	}
	if out, err := answer(t, "y\n", "dead", "drop", "--all"); err != nil || strings.Count(out, " dropped\n") != 2 {
		t.Errorf("answered yes: %q %v", out, err)
	}
}

func TestDeadNamesWhatIsWrong(t *testing.T) {
	world(t)
	for args, want := range map[string]string{
		"dead requeue":                           "which letters?",
		"dead drop --queue email-normal --all":   "--queue",
		"dead list --limit -1":                   "--limit",
		"dead list --older-than -1h":             "--older-than",
		"dead show nobody":                       `no letter "nobody"`,
		"dead drop --yes nobody":                 `no letter "nobody"`,
		"dead requeue --reason none --yes":       "no such dead letters",
		"queue pause email-dead":                 "is not consumed by workers",
		"queue peek nothing":                     "no job that is ready",
		"email show 1":                           "24 hex digits",
		"prefs set a@example.com":                "--flags",
		"prefs get nobody":                       "address",
		"dead burn":                              `unknown command "burn"`,
		"email show 6920d5c40000000000000009 -x": "unknown shorthand flag",
	} {
		if out, err := answer(t, "", strings.Split(args, " ")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: printed %q, error %v; want %q", args, out, err, want)
		}
	}
	t.Setenv("POSTMASTER_SQLITE", "")
	if _, err := answer(t, "", "prefs", "get", "a@example.com"); err == nil || !strings.Contains(err.Error(), "--mongo-addr or --sqlite") {
		t.Errorf("without a store: %v", err)
	}
}

// The shell is told the names of queues, reasons, and the ids that are there now.
func TestCompletion(t *testing.T) {
	world(t)
	for args, want := range map[string]string{
		"queue peek ":           "email-normal",
		"queue pause ":          "stats-normal",
		"dead list --queue ":    "stats-dead",
		"dead drop --reason ":   "unknown outcome",
		"dead show ":            "6920d5c40000000000000002",
		"dead requeue --queue ": "email-dead",
	} {
		out, err := answer(t, "", append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if err != nil || !strings.Contains(out, want+"\n") {
			t.Errorf("%q completes to %q, %v; want %q among them", args, out, err, want)
		}
	}
	if out, err := answer(t, "", "completion", "bash"); err != nil || !strings.Contains(out, "__start_postmaster") {
		t.Errorf("completion bash: %v, %d bytes", err, len(out))
	}
	t.Setenv("POSTMASTER_OKQ_ADDR", okqdtest.RunT(t).Addr) // with nothing in it
	if out, err := answer(t, "", "__complete", "dead", "show", ""); err != nil || strings.Contains(out, "6920") {
		t.Errorf("without letters: %q %v", out, err)
	}
}

// Each command's help has an example.
func TestOperatorsCommandsHaveExamples(t *testing.T) {
	t.Parallel()
	for _, group := range newCommand().Commands() {
		switch group.Name() {
		case "dead", "queue", "email", "prefs":
			for _, cmd := range group.Commands() {
				if !strings.Contains(cmd.Example, "  postmaster "+group.Name()+" "+cmd.Name()) {
					t.Errorf("%s has no example", cmd.CommandPath())
				}
			}
		}
	}
}
