// Package tracing follows a mail from the caller to SendGrid's last event in one trace: W3C trace context comes in with
// the call, travels in the job and on the mail, and comes back with each event; spans go to an OTLP collector. It is off
// unless an endpoint is given, and then costs nothing.
//
//	caller's span ─▶ enqueue (pm-api) ─▶ send (pm-worker, each attempt) ─▶ processed, delivered, … (pm-worker's fold)
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

const flushTimeout = 5 * time.Second

// Config is where spans go.
type Config struct {
	Endpoint string
	Ratio    float64
}

// AddFlags defines --otlp-endpoint and --trace-ratio.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Endpoint, "otlp-endpoint", "", "collector that takes traces by OTLP over HTTP, http://host:4318; empty for no traces")
	fs.Float64Var(&c.Ratio, "trace-ratio", 1, "share of the mails that are traced whose callers do not say, 0 to 1")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		errs = append(errs, fmt.Errorf("--otlp-endpoint: %q is no http:// or https:// URL", c.Endpoint))
	}
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		errs = append(errs, errors.New("--trace-ratio must be 0 to 1"))
	}
	return errors.Join(errs...)
}

// Start returns the tracer of a service, which Close ends; nil, which does nothing, without an endpoint. A collector that
// is away costs spans, and nothing else.
func (c *Config) Start(ctx context.Context, service string, log zerolog.Logger) (*Tracer, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("--otlp-endpoint: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces" // where OTLP over HTTP has them
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("--otlp-endpoint: %w", err)
	}
	log = log.With().Str("component", "tracing").Logger()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("spans not exported") }))
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter), trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(c.Ratio))),
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/levenlabs/postmaster")}, nil
}

// Close sends what is left.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	t.provider.Shutdown(ctx) //nolint:errcheck // the error handler has told
}
