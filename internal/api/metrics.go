package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/connlimit"
)

// noMethod is the label of what is no call of a method that exists.
const noMethod = "none"

// codeOK is the code of a call that succeeded.
const codeOK = "ok"

// metrics has the labels method (a name of the table, or noMethod) and code ("ok", a JSON-RPC error's code, or the
// HTTP status of a request that was not read).
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	bodyBytes prometheus.Histogram

	connections *connlimit.Metrics
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pm_api_requests_total", Help: "Calls answered, and requests refused.",
		}, []string{"method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pm_api_request_duration_seconds", Help: "Time from a call's being read to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pm_api_in_flight_requests", Help: "HTTP requests being answered.",
		}),
		connections: connlimit.NewMetrics("pm_api"),
		bodyBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pm_api_request_body_bytes", Help: "Size of the requests that were read.",
			Buckets: prometheus.ExponentialBuckets(256, 8, 7), // to 64 MiB
		}),
	}
	var errs []error
	for _, c := range append(m.connections.Collectors(), m.requests, m.duration, m.inFlight, m.bodyBytes) {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// zero makes the series that alerts look at: one that is 0 can be alerted on, one that is missing cannot.
func (m *metrics) zero(methods map[string]method) {
	for name := range methods {
		m.requests.WithLabelValues(name, codeOK)
		m.requests.WithLabelValues(name, strconv.Itoa(CodeUnavailable))
	}
}

// called counts a call; code 0 is success.
func (m *metrics) called(method string, code int, took time.Duration) {
	label := codeOK
	if code != 0 {
		label = strconv.Itoa(code)
	}
	m.requests.WithLabelValues(method, label).Inc()
	m.duration.WithLabelValues(method).Observe(took.Seconds())
}

func (m *metrics) refused(status int) {
	m.requests.WithLabelValues(noMethod, strconv.Itoa(status)).Inc()
}
