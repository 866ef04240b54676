package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// discard is a queue that takes everything at once.
type discard struct{ empty }

func (discard) Push(context.Context, okq.Event, ...okq.PushOption) error { return nil }

// BenchmarkEnqueue is what pm-api does for one mail of 1 KiB, without the network: HTTP handler to push.
func BenchmarkEnqueue(b *testing.B) {
	s, err := New(defaults(), Deps{Queue: discard{}}, zerolog.New(io.Discard).Level(zerolog.InfoLevel), newRegistry())
	if err != nil {
		b.Fatal(err)
	}
	for name, size := range map[string]int{"1KiB": 1 << 10, "10MB": 10_000_000} {
		b.Run(name, func(b *testing.B) {
			params := mail(map[string]any{"text": strings.Repeat("x", 700), "uniqueID": "order-7", "uniqueArgs": obj{"order": "7"}})
			if size > 1<<20 {
				params["attachments"] = []obj{{"content": strings.Repeat("QUJD", size/4), "filename": "a.bin"}}
			}
			call := enqueueCall(params)
			b.SetBytes(int64(len(call)))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(call))
				r.Header.Set("Content-Type", "application/json")
				w := &silent{header: http.Header{}}
				s.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}

// silent is a ResponseWriter that keeps the status only.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }
func (s *silent) WriteHeader(status int)      { s.status = status }

// net/http's own writer has this, for large bodies.
func (s *silent) SetReadDeadline(time.Time) error { return nil }
