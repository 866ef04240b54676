package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/jhttp"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A system is the four processes, and the sandbox in SendGrid's place.
type system struct {
	t                        *testing.T
	okqd, api, worker, hooks *process.Process
	sendgrid                 *sandbox.Sandbox
	rpc                      *jrpc2.Client
}

// startSystem starts it with the store that storeFlags name.
func startSystem(t *testing.T, storeFlags ...string) *system {
	t.Helper()
	s := &system{t: t, sendgrid: sandboxtest.RunT(t)}
	const anywhere = "127.0.0.1:0"
	s.okqd = process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(t.TempDir(), "okq"))
	s.okqd.Args[1] = s.okqd.Addr // a restart must be found again
	common := append([]string{"--okq-addr", s.okqd.Addr, "--ops-addr", anywhere}, storeFlags...)
	s.api = process.Start(t, 2, "pm-api", append(common, "--listen-addr", anywhere)...)
	s.worker = process.Start(t, 1, "pm-worker", append(common, "--sendgrid-key", "SG.e2e", "--sendgrid-url", s.sendgrid.URL(),
		"--send-timeout", "3s", "--lease", "5s", "--evidence-wait", "10s")...)
	s.hooks = process.Start(t, 2, "pm-hooks", "--okq-addr", s.okqd.Addr, "--ops-addr", anywhere, "--webhook-addr", anywhere,
		"--webhook-public-key", s.sendgrid.PublicKey(), "--accept-env", "dev")
	if err := s.sendgrid.SetWebhookURL("http://" + s.hooks.Addr + "/"); err != nil {
		t.Fatal(err)
	}
	s.rpc = jrpc2.NewClient(jhttp.NewChannel("http://"+s.api.Addr+"/", nil), nil)
	t.Cleanup(func() { s.rpc.Close() })
	return s
}

// call makes one JSON-RPC call with a client that is not ours.
func (s *system) call(method string, params, result any) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := s.rpc.CallResult(ctx, "Postmaster."+method, params, result); err != nil {
		s.t.Fatalf("%s: %v", method, err)
	}
}

// enqueue queues n mails and returns their ids.
func (s *system) enqueue(n int) []string {
	s.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		var result struct{ ID string }
		s.call("Enqueue", map[string]any{"to": "alex@example.com", "from": "shop@example.org", "subject": "Hello", "text": "It works."}, &result)
		ids[i] = result.ID
	}
	return ids
}

// sent counts how many of ids SendGrid accepted at least once, and how many more than once.
func (s *system) sent(ids []string) (once, twice int) {
	for _, id := range ids {
		switch n := s.sendgrid.Accepted(id); {
		case n > 1:
			twice++
			fallthrough
		case n == 1:
			once++
		}
	}
	return once, twice
}

// startServe is the same in one process, which is s.api.
func startServe(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, sendgrid: sandboxtest.RunT(t)}
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("SG.e2e\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const anywhere = "127.0.0.1:0"
	s.api = process.New(t, "postmaster",
		"serve", "--listen-addr", anywhere, "--console-addr", anywhere, "--webhook-addr", anywhere, "--okqd-listen-addr", anywhere, "--ops-addr", anywhere,
		"--data-dir", filepath.Join(dir, "data"), "--sendgrid-url", s.sendgrid.URL(),
		"--webhook-public-key", s.sendgrid.PublicKey(), "--accept-env", "dev",
	)
	s.api.Env = []string{"POSTMASTER_SENDGRID_KEY_FILE=" + key}
	s.api.Run(5)
	if err := s.sendgrid.SetWebhookURL("http://" + s.api.Addrs["webhook"] + "/"); err != nil {
		t.Fatal(err)
	}
	s.api.Addr = s.api.Addrs["api"]
	return s
}

// readmeCurl is the README's one curl.
func readmeCurl(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\ncurl ")
	line, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no curl in README.md")
	}
	return "curl " + line
}
