package hooks_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A signer is SendGrid's side of the signed webhook.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

// public is the key as SendGrid shows it.
func (s signer) public(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func (s signer) sign(t testing.TB, body []byte, at time.Time) http.Header {
	t.Helper()
	timestamp := strconv.FormatInt(at.Unix(), 10)
	digest := sha256.Sum256(append([]byte(timestamp), body...))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed(base64.StdEncoding.EncodeToString(sig), timestamp)
}

func signed(signature, timestamp string) http.Header {
	h := http.Header{}
	h.Set(hooks.SignatureHeader, signature)
	h.Set(hooks.TimestampHeader, timestamp)
	return h
}

// instance is a running pm-hooks and the okq behind it.
type instance struct {
	url string
	okq *okq.Client
	reg *prometheus.Registry
	log *bytes.Buffer // complete once stop has returned

	stop func()
}

// defaults is the configuration without any flag, on a port of its own.
func defaults(t testing.TB) hooks.Config {
	t.Helper()
	var cfg hooks.Config
	cfg.AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	cfg.Addr = "127.0.0.1:0"
	return cfg
}

// An engine is what a test's okqd keeps its queues in. A second okqd finds what the first had.
type engine struct{ option okqdtest.Option }

// onEachEngine runs a test over an okqd with a disk of its own, and over one with a Redis of its own.
func onEachEngine(t *testing.T, test func(*testing.T, engine)) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		test(t, engine{okqdtest.WithDir(t.TempDir())})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, engine{okqdtest.WithRedis(testenv.StartRedis(t).Addr)})
	})
}

func (e engine) start(t testing.TB, opts ...okqdtest.Option) *okqdtest.Server {
	t.Helper()
	return okqdtest.RunT(t, append(opts, e.option)...)
}

// run starts pm-hooks over an okqd with this engine.
func (e engine) run(t testing.TB, cfg hooks.Config) *instance {
	t.Helper()
	return runOver(t, cfg, e.start(t).Addr)
}

// run starts pm-hooks over an okq of its own.
func run(t testing.TB, cfg hooks.Config) *instance {
	t.Helper()
	return runOver(t, cfg, okqdtest.RunT(t).Addr)
}

func runOver(t testing.TB, cfg hooks.Config, okqAddr string, prepare ...func(*hooks.Server)) *instance {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	client, err := okq.New(okq.Options{Addrs: []string{okqAddr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	in := &instance{okq: client, reg: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	srv, err := hooks.New(cfg, client, zerolog.New(zerolog.SyncWriter(in.log)), in.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(srv)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	stopped := false
	in.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(in.stop)
	in.url = "http://" + srv.Addr().String()
	return in
}

// post sends a body and returns the status of the answer.
func (in *instance) post(t testing.TB, body []byte, headers ...http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.url+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	return do(t, req)
}

func do(t testing.TB, req *http.Request) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// queued takes all stats events out of okq and returns the webhook events in them, in order.
func (in *instance) queued(t testing.TB) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for {
		events, err := in.okq.Pop(t.Context(), job.QueueStats, 16, okq.NoLease)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		for _, e := range events {
			var raws []json.RawMessage
			if err := json.Unmarshal(e.Contents, &raws); err != nil {
				t.Fatalf("okq event %s is not a JSON array: %v", e.ID, err)
			}
			all = append(all, raws...)
		}
	}
}

// metric returns the value of a counter or gauge with these label values.
func (in *instance) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := in.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if len(labels) == 0 || fmt.Sprint(values) == fmt.Sprint(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const statsID = "6920d5c40000000000000001"

// event is a webhook event about a mail of ours.
func event(typ string, n int) string {
	return fmt.Sprintf(`{"event":%q,"email":"alex@example.com","timestamp":1767225600,"sg_event_id":"e-%d","pmStatsID":%q}`, typ, n, statsID)
}
