package cases

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// readmeServe is README's way to run postmaster on one machine: the variable it exports, and serve's flags. The key and
// the data folder are the test's.
func readmeServe(t *testing.T, key, data string) (env, args []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "**On one machine**")
	_, rest, _ = strings.Cut(rest, "```sh\n")
	block, _, _ := strings.Cut(rest, "```")
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		line = strings.ReplaceAll(line, "/etc/postmaster/sendgrid-key", key)
		line = strings.ReplaceAll(line, "/var/lib/postmaster", data)
		if variable, ok := strings.CutPrefix(line, "export "); ok {
			env = append(env, variable)
		}
		if flags, ok := strings.CutPrefix(line, "postmaster "); ok {
			args = strings.Fields(flags)
		}
	}
	if !found || len(env) == 0 || len(args) == 0 || args[0] != "serve" {
		t.Fatalf("README's commands were not found: %v %v", env, args)
	}
	return env, args
}

// startServe runs postmaster serve on free ports with the sandbox in SendGrid's place, told by the environment, so that
// args are what a page prints.
func (r *rig) startServe(env []string, args ...string) {
	r.t.Helper()
	r.api = process.New(r.t, "postmaster", args...)
	r.api.Env = append(env, "POSTMASTER_SENDGRID_URL="+r.sendgrid.URL(), "POSTMASTER_LISTEN_ADDR="+anywhere, "POSTMASTER_WEBHOOK_ADDR="+anywhere,
		"POSTMASTER_OKQD_LISTEN_ADDR="+anywhere, "POSTMASTER_OPS_ADDR="+anywhere, "POSTMASTER_CONSOLE_ADDR="+anywhere)
	r.api.Run(5)
	r.api.Addr = r.api.Addrs["api"]
	if err := r.sendgrid.SetWebhookURL("http://" + r.api.Addrs["webhook"] + "/"); err != nil {
		r.t.Fatal(err)
	}
}

func TestCase01EventsFoldAsREADMESetsServeUp(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, dir: t.TempDir(), sendgrid: sandboxtest.RunT(t)}
	key := filepath.Join(r.dir, "key")
	if err := os.WriteFile(key, []byte("SG.case\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, args := readmeServe(t, key, filepath.Join(r.dir, "data"))
	r.startServe(env, args...)
	r.enqueue("bounce@example.com", `,"uniqueID":"b"`)
	r.enqueue("unsub@example.com", `,"uniqueID":"u","flags":4`)
	unknown := r.enqueue("accept500@example.com", `,"uniqueID":"k"`)

	var bounced struct{ Stat *struct{ StateFlags int64 } }
	var prefs struct{ Flags int64 }
	var settled struct{ Email *struct{ State string } }
	good := func() bool {
		r.result("GetLastEmail", `{"to":"bounce@example.com","uniqueID":"b"}`, &bounced)
		r.result("GetPrefs", `{"email":"unsub@example.com"}`, &prefs)
		r.result("GetEmail", `{"id":"`+unknown+`"}`, &settled)
		return bounced.Stat != nil && bounced.Stat.StateFlags&8 != 0 && prefs.Flags == 4 && settled.Email != nil && settled.Email.State == "accepted"
	}
	for end := time.Now().Add(20 * time.Second); !good() && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	flags, state := int64(-1), "none"
	if bounced.Stat != nil {
		flags = bounced.Stat.StateFlags
	}
	if settled.Email != nil {
		state = settled.Email.State
	}
	r.came("stateFlags of the bounce %d, flags of the unsubscribed %d, unknown outcome: %s", flags, prefs.Flags, state)
	if !good() {
		t.Error("want the bounce's bit 8, flags 4 and state accepted")
	}
}
