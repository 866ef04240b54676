package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

// BenchmarkSend is the rate at which mails are accepted on loopback while
// their events are posted; client and receiver share the machine.
func BenchmarkSend(b *testing.B) {
	hook := http.NewServeMux()
	hook.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }) //nolint:errcheck // a sink
	s := sandboxtest.RunT(b, sandboxtest.WebhookURL(serve(b, hook)))
	body := strings.Replace(mailTo("alex@example.com", "6920d5c40000000000000001"), "Thank you.", strings.Repeat("x", 1024), 1)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest(http.MethodPost, s.URL()+"/v3/mail/send", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header = http.Header{"Authorization": {"Bearer SG.x"}, "Content-Type": {"application/json"}, "Accept": {"*/*"}}
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				b.Errorf("got %d, want 202", resp.StatusCode)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}
