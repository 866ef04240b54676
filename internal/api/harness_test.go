package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// running is a server that a test talks to over the network.
type running struct {
	*Server
	url  string
	http *http.Client
}

// defaults is the configuration that the flags start from, on a port of its own.
func defaults() Config {
	var cfg Config
	cfg.AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	cfg.ListenAddr = "127.0.0.1:0"
	return cfg
}

func start(t testing.TB, cfg Config, deps Deps) *running {
	t.Helper()
	return startLogging(t, cfg, deps, zerolog.Nop())
}

func startLogging(t testing.TB, cfg Config, deps Deps, log zerolog.Logger) *running {
	t.Helper()
	srv, err := New(cfg, deps, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return reach(t, srv)
}

// memory is a queue that keeps its events, for tests of what is not about okq.
type memory struct {
	mu     sync.Mutex
	events []okq.Event
	err    error // what Push answers
}

func (m *memory) Push(_ context.Context, e okq.Event, _ ...okq.PushOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.events = append(m.events, e)
	return nil
}

func (m *memory) Find(_ context.Context, queue, id string) (okq.Found, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Queue == queue && e.ID == id {
			return okq.Found{Event: e, State: okq.StateReady}, true, nil
		}
	}
	return okq.Found{}, false, nil
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

// reach returns the way to a server that listens. Its client is the test's own, so that its connections end with it.
func reach(t testing.TB, srv *Server) *running {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost = 100
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Timeout: 30 * time.Second}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &running{srv, "http://" + srv.Addr().String(), c}
}

// post sends a body as JSON and returns the status and the answer's body.
func (r *running) post(t testing.TB, body string) (int, string) {
	t.Helper()
	resp, err := r.http.Post(r.url, "application/json", bytes.NewReader([]byte(body)))
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

// response is a Response object of JSON-RPC.
type response struct {
	Version string          `json:"jsonrpc"`
	Result  json.RawMessage `json:"result"`
	Error   *rpcError       `json:"error"`
	ID      json.RawMessage `json:"id"`
}

// do calls a method and returns its result into result, or the error it answered.
func (r *running) do(t testing.TB, method string, params, result any) *rpcError {
	t.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := r.post(t, string(body))
	var resp response
	if err := json.Unmarshal([]byte(answer), &resp); err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, answer %q, %v", method, status, answer, err)
	}
	if resp.Error != nil {
		return resp.Error
	}
	if result != nil {
		if err := json.Unmarshal(resp.Result, result); err != nil {
			t.Fatalf("%s: result %s: %v", method, resp.Result, err)
		}
	}
	return nil
}

// mail is the params of a mail that is valid, with some members set otherwise; nil leaves one out.
func mail(change map[string]any) map[string]any {
	m := map[string]any{
		"to": "rcpt@example.com", "from": "sender@example.com", "subject": "Hello", "text": "hi", "flags": 2,
	}
	for k, v := range change {
		if v == nil {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	return m
}

// enqueueCall is the request of one Enqueue.
func enqueueCall(params any) string {
	b, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "Postmaster.Enqueue", "params": params, "id": 1})
	return string(b)
}

// waitFor polls until ok, for as long as a busy machine may take.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 20s")
		}
	}
}

// blocking is a queue whose pushes do not return before they are let go.
type blocking struct {
	empty
	entered, leave chan struct{}
}

func (b *blocking) Push(ctx context.Context, _ okq.Event, _ ...okq.PushOption) error {
	close(b.entered)
	select {
	case <-b.leave:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// empty is the reading side of a queue that nothing is ever found in.
type empty struct{}

func (empty) Find(context.Context, string, string) (okq.Found, bool, error) {
	return okq.Found{}, false, nil
}

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// newCertificate makes a certificate for 127.0.0.1, which the returned pool trusts.
func newCertificate(t testing.TB, cfg *Config) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLSCert, cfg.TLSKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{
		cfg.TLSCert: {Type: "CERTIFICATE", Bytes: cert}, cfg.TLSKey: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return pool
}

var errSome = errors.New("some inside: 10.0.0.1 said no")

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// deaf is a queue whose first answer gets lost.
type deaf struct {
	Queue
	once sync.Once
}

func (d *deaf) Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error {
	err := d.Queue.Push(ctx, e, opts...)
	d.once.Do(func() { err = okq.ErrUnavailable })
	return err
}

// noDelay is the original okq.
type noDelay struct{ *memory }

func (n *noDelay) Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error {
	if len(opts) > 0 {
		return okq.ErrNoDelay
	}
	return n.memory.Push(ctx, e)
}
