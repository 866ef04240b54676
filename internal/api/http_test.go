package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const discoverCall = `{"jsonrpc":"2.0","method":"rpc.discover","id":1}`

// send makes one request, with the path as it is given.
func (r *running) send(t testing.TB, method, path, contentType, body string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = path
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp
}

func TestAnyPathIsServedWithoutRedirect(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for _, path := range []string{"/", "/_rpc", "//", "//a//b", "/a/../b", "/../..", "/a/./b/", "/%2e%2e/x", "/a?b=c"} {
		if resp := s.send(t, "POST", path, "application/json", discoverCall); resp.StatusCode != 200 {
			t.Errorf("POST %s: status %d, want 200", path, resp.StatusCode)
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		resp := s.send(t, method, "/", "application/json", "")
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q; want 405 and POST", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestWhoCallsWronglyIsToldHow(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for _, resp := range []*http.Response{
		s.send(t, "GET", "/", "", ""), s.send(t, "PUT", "/x", "application/json", "{}"), s.send(t, "POST", "/", "text/plain", discoverCall),
	} {
		text, _ := io.ReadAll(resp.Body)
		if !strings.Contains(string(text), "/openrpc.json") || strings.Count(string(text), "\n") != 1 {
			t.Errorf("status %d says %q; want one line that names /openrpc.json", resp.StatusCode, text)
		}
	}
	resp := s.send(t, "GET", "/openrpc.json", "", "")
	var document struct{ OpenRPC string }
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil || resp.StatusCode != 200 || document.OpenRPC == "" {
		t.Errorf("GET /openrpc.json: status %d, version %q, %v", resp.StatusCode, document.OpenRPC, err)
	}
}

// A SendGrid client must not take the answer of JSON-RPC for one of SendGrid's.
func TestPathsOfSendGridsAPIAreNotJSONRPC(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for _, path := range []string{"/v3/mail/send", "/v3/mail/send/", "/%76%33/mail/send", "/v3", "/v3/", "/x/../v3/scopes", "/./v3/x"} {
		for _, method := range []string{"POST", "GET"} {
			resp := s.send(t, method, path, "application/json", discoverCall)
			var answer struct {
				Errors []map[string]any `json:"errors"`
			}
			err := json.NewDecoder(resp.Body).Decode(&answer)
			if err != nil || resp.StatusCode != 404 || len(answer.Errors) != 1 || len(answer.Errors[0]) != 3 || answer.Errors[0]["field"] != nil {
				t.Errorf("%s %s: status %d, %v, %v; want 404 in SendGrid's shape", method, path, resp.StatusCode, answer, err)
			}
		}
	}
	resp, err := s.http.Post(s.url+"/v3//mail/send", "application/json", strings.NewReader(discoverCall)) // s.url ends in /
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("//v3: status %d, want 404", resp.StatusCode)
	}
	for _, path := range []string{"/v3x", "/x/v3/", "/v3/.."} {
		if resp := s.send(t, "POST", path, "application/json", discoverCall); resp.StatusCode != 200 {
			t.Errorf("POST %s: status %d, want 200", path, resp.StatusCode)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for contentType, want := range map[string]int{
		"application/json":                   200,
		"application/json; charset=utf-8":    200,
		"Application/JSON;charset=\"utf-8\"": 200,
		"":                                   200,
		"text/plain":                         415,
		"application/x-www-form-urlencoded":  415,
		"application/jsonx":                  415,
		"application/json-rpc":               200,
		"application/jsonrequest":            200,
		"application":                        415,
		";":                                  415,
	} {
		if resp := s.send(t, "POST", "/", contentType, discoverCall); resp.StatusCode != want {
			t.Errorf("Content-Type %q: status %d, want %d", contentType, resp.StatusCode, want)
		}
	}
}

func TestTooLargeIs413HoweverItIsSent(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	cfg.MaxBody = 100 << 10
	s := start(t, cfg, Deps{})
	over := strings.Repeat(" ", int(cfg.MaxBody)) + "1"
	if resp := s.send(t, "POST", "/", "application/json", over); resp.StatusCode != 413 {
		t.Errorf("with its length: status %d, want 413", resp.StatusCode)
	}
	at := discoverCall + strings.Repeat(" ", int(cfg.MaxBody)-len(discoverCall))
	if resp := s.send(t, "POST", "/", "application/json", at); resp.StatusCode != 200 {
		t.Errorf("as large as allowed: status %d, want 200", resp.StatusCode)
	}
	for body, want := range map[string]int{over: 413, at: 200} {
		resp, err := s.http.Post(s.url, "application/json", io.MultiReader(strings.NewReader(body))) // chunked
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("chunked, %d bytes: status %d, want %d", len(body), resp.StatusCode, want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	cfg.Tokens = []string{"first", "second"}
	s := start(t, cfg, Deps{})
	for header, want := range map[string]int{
		"Bearer first": 200, "bearer second": 200, "Bearer  first": 200,
		"": 401, "Bearer": 401, "Bearer ": 401, "first": 401, "Bearer third": 401, "Basic first": 401, "Bearer firstx": 401,
		"Bearer firs": 401, "Bearer first second": 401,
	} {
		resp := s.send(t, "POST", "/", "application/json", discoverCall, "Authorization", header)
		if resp.StatusCode != want {
			t.Errorf("Authorization %q: status %d, want %d", header, resp.StatusCode, want)
		}
		if want == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("Authorization %q: WWW-Authenticate %q", header, resp.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestRequestIDIsTheCallersIfItIsSane(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{})
	for given, kept := range map[string]bool{"abc-1.2_3:4": true, "": false, "a b": false, `a"b`: false, strings.Repeat("x", 129): false} {
		got := s.send(t, "POST", "/", "application/json", discoverCall, "X-Request-Id", given).Header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("X-Request-Id %q came back as %q", given, got)
		}
	}
}

func TestAccessLogHasOneLinePerRequestAndNothingOfItsBody(t *testing.T) {
	t.Parallel()
	var log buffer
	cfg := defaults()
	cfg.AccessLog, cfg.Tokens = true, []string{"geheim"}
	srv := startLogging(t, cfg, Deps{Queue: &memory{}}, zerolog.New(&log).Level(zerolog.InfoLevel))
	body := `{"jsonrpc":"2.0","method":"Postmaster.Enqueue","params":{"to":"inhalt@example.com"},"id":1}`
	srv.send(t, "POST", "/", "application/json", body, "X-Request-Id", "my-id", "Authorization", "Bearer geheim")
	srv.send(t, "GET", "/", "", "")
	waitFor(t, func() bool { return strings.Count(log.String(), `"message":"request"`) == 2 })
	for _, want := range []string{`"request_id":"my-id"`, `"status":200`, `"status":405`, `"took_ms":`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
	for _, secret := range []string{"geheim", "inhalt"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in %s", secret, log.String())
		}
	}
}

func TestShutdownFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	q := &blocking{entered: make(chan struct{}), leave: make(chan struct{})}
	srv, err := New(defaults(), Deps{Queue: q}, zerolog.Nop(), newRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, answered := make(chan error, 1), make(chan int, 1)
	go func() { ended <- srv.Run(ctx) }()
	r := reach(t, srv)
	go func() {
		status, _ := r.post(t, enqueueCall(mail(nil)))
		answered <- status
	}()
	<-q.entered
	cancel()
	waitFor(t, func() bool { // no new connections
		c, err := net.Dial("tcp", srv.Addr().String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case <-ended:
		t.Fatal("Run returned with a request under way")
	default:
	}
	close(q.leave)
	if status := <-answered; status != 200 {
		t.Errorf("status %d, want 200", status)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestBusyAnswersAClearErrorAndRoomComesBack(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	s.bodies.wait = 50 * time.Millisecond
	held := int64(s.cfg.MaxHeld)
	if err := s.bodies.room.Acquire(t.Context(), held-100<<10); err != nil {
		t.Fatal(err)
	}
	large := enqueueCall(mail(map[string]any{"text": strings.Repeat("x", 1<<20)}))
	resp := s.send(t, "POST", "/", "application/json", large)
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(b), `"code":-32002`) || !strings.Contains(string(b), `"id":null`) {
		t.Errorf("status %d, %s; want 503 with -32002 and Retry-After", resp.StatusCode, b)
	}
	if status, answer := s.post(t, enqueueCall(mail(nil))); status != 200 || !strings.Contains(answer, `"success":true`) {
		t.Errorf("a small mail beside it: status %d, %s", status, answer)
	}
	s.bodies.room.Release(held - 100<<10)
	if status, _ := s.post(t, large); status != 200 {
		t.Errorf("once there is room: status %d, want 200", status)
	}
	if !s.bodies.room.TryAcquire(held) {
		t.Error("room was not given back")
	}
}

func TestSlowBodyIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	s.bodies.grace = 50 * time.Millisecond
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(conn) // to the end: the server closes
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("answer %q, %v; want 408 and the connection closed", answer, err)
	}
	if !s.bodies.room.TryAcquire(int64(s.cfg.MaxHeld)) {
		t.Error("room was not given back")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	pool := newCertificate(t, &cfg)
	s := start(t, cfg, Deps{})
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer c.CloseIdleConnections()
	resp, err := c.Post("https://"+s.Addr().String(), "application/json", strings.NewReader(discoverCall))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
}

func TestConfigNamesEachWrongFlag(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	cfg.ListenAddr, cfg.Tokens, cfg.MaxBody, cfg.MaxHeld, cfg.MaxConns = "x", []string{""}, 5, 4, 0
	cfg.TLSCert = filepath.Join(t.TempDir(), "none")
	err := cfg.Validate()
	for _, flag := range []string{"--listen-addr", "--api-token", "--max-body", "--max-held-bytes", "--max-conns", "--tls-cert", "--tls-key"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v does not name %s", err, flag)
		}
	}
	if cfg = defaults(); cfg.Validate() != nil {
		t.Errorf("defaults: %v", cfg.Validate())
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"33554432": 32 << 20, "32MiB": 32 << 20, "30MB": 30e6, "1 GiB": 1 << 30, "5kB": 5000, "7B": 7} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q = %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "x", "9999999999GiB", "1 TB"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q was taken for %d", text, s)
		}
	}
	size32 := Size(32 << 20)
	if got := size32.String(); got != "32MiB" {
		t.Errorf("32 MiB prints as %s", got)
	}
}
