package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A Tracer begins spans. A nil one does nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// A Span is a stretch of a mail's life. The zero one does nothing.
type Span struct{ span trace.Span }

// parentHeader is W3C trace context's. Source: https://www.w3.org/TR/trace-context/
const parentHeader = "traceparent"

var w3c = propagation.TraceContext{}

// Caller returns ctx with the span of the caller of an HTTP request, if the request names one.
func (t *Tracer) Caller(ctx context.Context, h http.Header) context.Context {
	if t == nil {
		return ctx
	}
	return w3c.Extract(ctx, propagation.HeaderCarrier(h))
}

// Enqueue begins the span of a mail that is taken, under the caller's.
func (t *Tracer) Enqueue(ctx context.Context) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.tracer.Start(ctx, "enqueue", trace.WithSpanKind(trace.SpanKindProducer))
	return Span{span}
}

// Send begins the span of an attempt to send a mail, under the one that its job names.
func (t *Tracer) Send(parent, id string, attempt int) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.tracer.Start(under(parent), "send", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("postmaster.job_id", id), attribute.Int("postmaster.attempt", attempt)))
	return Span{span}
}

// Event tells of one of SendGrid's events, which happened at a time, under the span that its mail names. Events of mails
// that name none are left out.
func (t *Tracer) Event(parent, id, kind string, at time.Time) {
	if t == nil || parent == "" {
		return
	}
	ctx := under(parent)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	_, span := t.tracer.Start(ctx, kind, trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("postmaster.job_id", id)))
	span.End(trace.WithTimestamp(at))
}

func under(parent string) context.Context {
	return w3c.Extract(context.Background(), propagation.MapCarrier{parentHeader: parent})
}

// Parent is the span's traceparent, for what comes after it: that the mail is not sampled is told too. Empty without a span.
func (s Span) Parent() string {
	if s.span == nil {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpan(context.Background(), s.span), carrier)
	return carrier[parentHeader]
}

// Sampled tells whether the span goes to the collector.
func (s Span) Sampled() bool { return s.span != nil && s.span.SpanContext().IsSampled() }

// Set tells something of the span.
func (s Span) Set(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String("postmaster."+key, value))
	}
}

// Fail marks the span as failed.
func (s Span) Fail(why string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, why)
	}
}

// End ends it.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}
