package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// asProgram makes the test's own binary be pm-api, so that tests see the whole process.
const asProgram = "PM_API_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestFaultsAreOneLineThatNamesTheFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, args, want string
	}{
		{"", "--nonsense", "unknown flag: --nonsense"},
		{"", "--max-body=much", "--max-body"},
		{"POSTMASTER_MAX_BODY=much", "", "POSTMASTER_MAX_BODY (--max-body)"},
		{"", "--max-body=512MiB", "--max-held-bytes"},
		{"POSTMASTER_API_TOKEN=", "--api-token=", "--api-token"},
		{"", "--listen-addr=127.0.0.1:0 --ops-addr= --tls-cert=/nowhere --tls-key=/nowhere", "--tls-cert: "},
		{"", "--listen-addr=256.0.0.1:0 --ops-addr=", "--listen-addr: "},
		{"", "--okq-addr=nowhere", "--okq-addr: "},
		{"", "--sqlite=x --mongo-addr=127.0.0.1:1", "--mongo-addr and --sqlite"},
		{"", "--ops-addr= --sqlite=/no/such/folder/pm.db", "--sqlite"},
		{"", "surplus", "surplus"},
	} {
		cmd := program(strings.Fields(c.args)...)
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		text := stderr.String()
		if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(text, "pm-api: ") || !strings.Contains(text, c.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s %s: %v, %q; want one line with %q", c.env, c.args, err, text, c.want)
		}
	}
}

// process is a pm-api that runs.
type process struct {
	cmd *exec.Cmd
	url string // of the JSON-RPC server
	ops string // of the ops endpoint
}

// start runs pm-api with the flags, and returns once it listens.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	cmd := program(append([]string{"--listen-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &process{cmd: cmd}
	lines := bufio.NewReader(stderr)
	for p.url == "" {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("no address in the log: %v", err)
		}
		var entry struct{ Component, Addr, Message string }
		if json.Unmarshal(line, &entry) != nil || entry.Message != "listening" {
			continue
		}
		switch entry.Component {
		case "api":
			p.url = "http://" + entry.Addr
		case "ops":
			p.ops = "http://" + entry.Addr
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return p
}

func (p *process) kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 30s")
		}
	}
}

func TestSIGTERMEndsWithZero(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestReadinessIsAboutOKQAlone(t *testing.T) {
	t.Parallel()
	mongo := newRelay(t, mongoHost(testenv.Mongo(t)))
	okqd := newRelay(t, okqdtest.RunT(t).Addr)
	p := start(t, nil, "--okq-addr", okqd.addr(), "--mongo-addr", "mongodb://"+mongo.addr()+"/?serverSelectionTimeoutMS=500&timeoutMS=500")
	ready := func(want bool) func() bool {
		return func() bool {
			status, text := get(t, p.ops+"/readyz")
			return (status == 200) == want && strings.Contains(text, "okq:") != want
		}
	}
	waitFor(t, ready(true))
	okqd.cut()
	waitFor(t, ready(false))
	if _, text := get(t, p.ops+"/healthz"); text != "ok\n" {
		t.Errorf("healthz says %q", text)
	}
	okqd.mend(t)
	waitFor(t, ready(true))
	mongo.cut()
	if answer := post(t, p, `{"jsonrpc":"2.0","id":1,"method":"Postmaster.GetPrefs","params":{"email":"a@example.com"}}`); !strings.Contains(answer, "-32002") {
		t.Errorf("GetPrefs without the store: %s", answer)
	}
	if !ready(true)() {
		t.Error("not ready, though Enqueue works without the store")
	}
}

// A store that comes late is used once it is there.
func TestAStoreMayComeAfterPMAPI(t *testing.T) {
	t.Parallel()
	mongo := newRelay(t, mongoHost(testenv.Mongo(t)))
	mongo.cut()
	uri := "mongodb://" + mongo.addr() + "/pm_api_late?serverSelectionTimeoutMS=500"
	p := start(t, nil, "--okq-addr", okqdtest.RunT(t).Addr, "--mongo-addr", uri)
	const get = `{"jsonrpc":"2.0","id":1,"method":"Postmaster.GetPrefs","params":{"email":"a@example.com"}}`
	if answer := post(t, p, enqueue(1, "")); !strings.Contains(answer, `"success":true`) {
		t.Errorf("Enqueue: %s", answer)
	}
	if answer := post(t, p, get); !strings.Contains(answer, "-32002") {
		t.Errorf("GetPrefs: %s", answer)
	}
	mongo.mend(t)
	waitFor(t, func() bool { return strings.Contains(post(t, p, get), `"flags":1`) })
}

func post(t testing.TB, p *process, body string) string {
	t.Helper()
	resp, err := http.Post(p.url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mongoHost(uri string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(uri, "mongodb://"), "/")
	return host
}

func TestMetricsCountTheCalls(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "--okq-addr", okqdtest.RunT(t).Addr, "--sqlite", filepath.Join(t.TempDir(), "pm.db"))
	for _, body := range []string{enqueue(1, ""), `{"jsonrpc":"2.0","method":"x","id":1}`, `{`} {
		resp, err := http.Post(p.url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	_, text := get(t, p.ops+"/metrics")
	for _, want := range []string{
		`pm_api_requests_total{code="ok",method="Postmaster.Enqueue"} 1`,
		`pm_api_requests_total{code="-32601",method="none"} 1`,
		`pm_api_requests_total{code="-32700",method="none"} 1`,
		`pm_api_request_duration_seconds_count{method="Postmaster.Enqueue"} 1`,
		`pm_api_request_body_bytes_count 3`,
		`pm_api_in_flight_requests 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// enqueue is a call of mail n, under key unless that is empty.
func enqueue(n int, key string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"Postmaster.Enqueue","params":{"to":"rcpt@example.com",`+
		`"from":"sender@example.com","subject":"Mail %d","text":"hi","uniqueID":"%d","idempotencyKey":%q}}`, n, n, n, key)
}

// relay is a way to a server that can be cut.
type relay struct {
	to, at string
	ln     net.Listener
	ended  chan struct{}
}

func newRelay(t testing.TB, to string) *relay {
	r := &relay{to: to, at: "127.0.0.1:0"}
	r.mend(t)
	r.at = r.ln.Addr().String()
	t.Cleanup(r.cut)
	return r
}

func (r *relay) addr() string { return r.at }

func (r *relay) mend(t testing.TB) {
	t.Helper()
	ln, err := net.Listen("tcp", r.at)
	if err != nil {
		t.Fatal(err)
	}
	r.ln, r.ended = ln, make(chan struct{})
	go r.serve(ln, r.ended)
}

// cut ends the connections and takes no others.
func (r *relay) cut() {
	if r.ln.Close() == nil {
		close(r.ended)
	}
}

func (r *relay) serve(ln net.Listener, ended chan struct{}) {
	for {
		from, err := ln.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", r.to)
		if err != nil {
			from.Close()
			continue
		}
		go func() { <-ended; from.Close(); to.Close() }()
		go func() { _, _ = io.Copy(to, from); to.Close() }()
		go func() { _, _ = io.Copy(from, to); from.Close() }()
	}
}
