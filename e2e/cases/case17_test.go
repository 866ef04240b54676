package cases

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A store that accepts connections and never answers keeps pm-api from nothing that needs no store.
func TestCase17PMAPIServesWithoutItsStore(t *testing.T) {
	r := newRig(t)
	r.api = process.New(t, "pm-api", "--okq-addr", r.okqd.Addr, "--listen-addr", anywhere, "--ops-addr", anywhere, "--mongo-addr", blackHole(t))
	r.api.Run(1) // the ops endpoint alone
	status, text := readyz(t, r.api)
	r.came("/readyz at once: %d %s", status, text)
	if status != http.StatusServiceUnavailable || text != "starting" {
		t.Errorf("/readyz at once: %d %q, want 503 starting", status, text)
	}
	eventually(t, 30*time.Second, "pm-api is ready", func() bool { status, _ := readyz(t, r.api); return status == http.StatusOK })
	eventually(t, time.Second, "its port is in the log", func() bool { return strings.Count(r.api.Log(), `"message":"listening"`) == 2 })
	_, after, _ := strings.Cut(r.api.Log(), `"component":"api","addr":"`)
	r.api.Addr, _, _ = strings.Cut(after, `"`)
	answer := r.post(sendMail)
	r.came("Enqueue: %s", answer)
	if !strings.Contains(answer, `"success":true`) {
		t.Errorf("Enqueue: %s", answer)
	}
	answer = r.call("GetPrefs", `{"email":"a@example.com"}`)
	r.came("GetPrefs: %s", answer)
	if !strings.Contains(answer, `"code":-32002`) {
		t.Errorf("GetPrefs: %s, want -32002", answer)
	}
	if status := r.api.Stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
}

// A worker needs its store: it goes on trying, and is not ready.
func TestCase17PMWorkerWaitsForItsStore(t *testing.T) {
	r := newRig(t)
	r.worker = process.Start(t, 1, "pm-worker", "--okq-addr", r.okqd.Addr, "--ops-addr", anywhere, "--sendgrid-key", "SG.case",
		"--sendgrid-url", r.sendgrid.URL(), "--mongo-addr", blackHole(t))
	eventually(t, 30*time.Second, "/readyz names the store", func() bool {
		status, text := readyz(t, r.worker)
		return status == http.StatusServiceUnavailable && strings.Contains(text, "store")
	})
	_, text := readyz(t, r.worker)
	r.came("/readyz: %s", text)
	if status := r.worker.Stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
}

// blackHole accepts connections and says nothing.
func blackHole(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", anywhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return ln.Addr().String()
}

func readyz(t *testing.T, p *process.Process) (status int, text string) {
	t.Helper()
	resp, err := http.Get("http://" + p.Ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}
