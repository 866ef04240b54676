package e2e

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A collected span, as the collector got it.
type collected struct{ trace, id, parent, name, service string }

// spans is an OTLP collector that keeps everything.
type spans struct {
	mu  sync.Mutex
	all []collected
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		service := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				s.all = append(s.all, collected{hex.EncodeToString(span.TraceId), hex.EncodeToString(span.SpanId), hex.EncodeToString(span.ParentSpanId), span.Name, service})
			}
		}
	}
}

// named returns the spans of a trace by name.
func (s *spans) named(trace string) map[string]collected {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]collected{}
	for _, span := range s.all {
		if span.trace == trace {
			byName[span.name] = span
		}
	}
	return byName
}

// One trace leads from the caller over the queue and SendGrid to the last event.
func TestAMailIsOneTrace(t *testing.T) {
	t.Parallel()
	kept := &spans{}
	otlp := httptest.NewServer(kept)
	defer otlp.Close()
	sendgrid := sandboxtest.RunT(t)
	const anywhere = "127.0.0.1:0"
	okqd := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(t.TempDir(), "okq"))
	common := []string{"--okq-addr", okqd.Addr, "--ops-addr", anywhere, "--sqlite", filepath.Join(t.TempDir(), "pm.db"), "--otlp-endpoint", otlp.URL}
	api := process.Start(t, 2, "pm-api", append(common, "--listen-addr", anywhere)...)
	process.Start(t, 1, "pm-worker", append(common, "--sendgrid-key", "SG.e2e", "--sendgrid-url", sendgrid.URL())...)
	hooks := process.Start(t, 2, "pm-hooks", "--okq-addr", okqd.Addr, "--ops-addr", anywhere, "--webhook-addr", anywhere,
		"--webhook-public-key", sendgrid.PublicKey(), "--accept-env", "dev")
	if err := sendgrid.SetWebhookURL("http://" + hooks.Addr + "/"); err != nil {
		t.Fatal(err)
	}
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	body := `{"jsonrpc": "2.0", "id": 1, "method": "Postmaster.Enqueue", "params": {"to": "alex@example.com", "from": "shop@example.org", "subject": "Hello", "text": "It works."}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+api.Addr+"/", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", "00-"+trace+"-"+caller+"-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(answer), `"success":true`) {
		t.Fatalf("answer %s", answer)
	}
	var got map[string]collected
	defer func() { t.Logf("the trace: %v", kept.named(trace)) }()
	process.Eventually(t, 20*time.Second, "the last event is in the trace", func() bool {
		got = kept.named(trace)
		return got["open"].id != "" && got["send"].id != "" && got["enqueue"].id != ""
	})
	for name, parent := range map[string]string{"enqueue": caller, "send": got["enqueue"].id, "processed": got["send"].id, "delivered": got["send"].id, "open": got["send"].id} {
		if got[name].parent != parent {
			t.Errorf("%s has parent %q, want %q", name, got[name].parent, parent)
		}
	}
	if got["enqueue"].service != "pm-api" || got["send"].service != "pm-worker" {
		t.Errorf("services %q and %q", got["enqueue"].service, got["send"].service)
	}
}
