package tracing

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// off is all that happens to a mail when nothing is traced.
func off(t *Tracer, h http.Header) string {
	span := t.Enqueue(t.Caller(context.Background(), h))
	span.Set("job_id", "x")
	span.End()
	attempt := t.Send(span.Parent(), "x", 1)
	attempt.Set("outcome", "accepted")
	attempt.End()
	t.Event(attempt.Parent(), "x", "delivered", time.Time{})
	return attempt.Parent()
}

func TestOffCostsNothing(t *testing.T) {
	tracer, err := (&Config{}).Start(t.Context(), "test", zerolog.Nop())
	if err != nil || tracer != nil {
		t.Fatalf("tracer %v, %v", tracer, err)
	}
	if parent := off(tracer, http.Header{}); parent != "" {
		t.Errorf("traceparent %q", parent)
	}
	if n := testing.AllocsPerRun(100, func() { off(tracer, nil) }); n > 0 {
		t.Errorf("%v allocations a mail", n)
	}
	tracer.Close()
}

func BenchmarkOff(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		off(nil, nil)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	t.Parallel()
	for flag, c := range map[string]Config{
		"--otlp-endpoint": {Endpoint: "collector:4318", Ratio: 1}, "--trace-ratio": {Ratio: 1.5},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := (&Config{Endpoint: "http://127.0.0.1:4318", Ratio: 0.1}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestARatioOfNothingTracesNothing(t *testing.T) {
	t.Parallel()
	c := Config{Endpoint: "http://127.0.0.1:1", Ratio: 0}
	tracer, err := c.Start(t.Context(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer tracer.Close()
	span := tracer.Enqueue(t.Context())
	if attempt := tracer.Send(span.Parent(), "x", 1); span.Sampled() || attempt.Sampled() {
		t.Error("a mail that is not to be traced is")
	}
	caller := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	parent := tracer.Enqueue(tracer.Caller(t.Context(), caller)).Parent()
	if !strings.HasPrefix(parent, "00-0af7651916cd43dd8448eb211c80319c-") || !strings.HasSuffix(parent, "-01") {
		t.Errorf("traceparent %q, want one in the trace of the caller, who traces", parent)
	}
}
