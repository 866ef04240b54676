package hooks

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/pkg/job"
)

type metrics struct {
	posts        *prometheus.CounterVec // status: of HTTP; reason: "" or one of refusal.go
	events       *prometheus.CounterVec // type: eventTypes; result: resultNames
	account      *prometheus.CounterVec // status: accountStatuses
	bodyBytes    prometheus.Histogram
	verifySecs   prometheus.Histogram
	pushSecs     prometheus.Histogram
	eventAge     prometheus.Histogram
	signatureAge prometheus.Histogram
	connections  *connlimit.Metrics
	heldBytes    prometheus.Gauge
	keyFaults    prometheus.Counter
	unarchived   prometheus.Counter
}

// accountStatuses are what SendGrid says of an account; anything newer counts as "other".
var accountStatuses = map[string]bool{
	"compliance_suspend": true, "compliance_deactivate": true, "compliance_ban": true, "reactivate": true,
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	ages := []float64{1, 5, 15, 60, 5 * 60, 30 * 60, 2 * 3600, 8 * 3600, 24 * 3600}
	m := &metrics{
		posts:        counter("pm_hooks_posts_total", "Webhook POSTs answered.", "status", "reason"),
		events:       counter("pm_hooks_events_total", "Webhook events by what became of them.", "type", "result"),
		account:      counter("pm_hooks_account_status_changes_total", "Changes SendGrid made to the account.", "status"),
		bodyBytes:    histogram("pm_hooks_body_bytes", "Size of webhook POSTs.", prometheus.ExponentialBuckets(1<<10, 4, 8)),
		verifySecs:   histogram("pm_hooks_verify_seconds", "Time to check a signature.", prometheus.ExponentialBuckets(50e-6, 2, 10)),
		pushSecs:     histogram("pm_hooks_push_seconds", "Time until okq had a POST's events on disk.", prometheus.ExponentialBuckets(0.5e-3, 2, 14)),
		eventAge:     histogram("pm_hooks_event_age_seconds", "Age of accepted events when they arrived.", ages),
		signatureAge: histogram("pm_hooks_signature_age_seconds", "Age of good signatures when they arrived.", ages),
		connections:  connlimit.NewMetrics("pm_hooks"),
		heldBytes:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "pm_hooks_held_bytes", Help: "Memory of the bodies that are being handled."}),
		keyFaults: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pm_hooks_key_file_faults_total", Help: "Looks at --webhook-public-key-file that found no usable keys.",
		}),
		unarchived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pm_hooks_unarchived_total", Help: "Accepted POSTs that could not be written to --archive.",
		}),
	}
	for _, c := range append(m.connections.Collectors(),
		m.posts, m.events, m.account, m.bodyBytes, m.verifySecs, m.pushSecs, m.eventAge, m.signatureAge, m.heldBytes, m.keyFaults, m.unarchived,
	) {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	m.zero()
	return m, nil
}

// zero makes the series that alerts look at: one that is 0 can be alerted on, one that is missing cannot.
func (m *metrics) zero() {
	for _, answer := range []refusal{
		{status: http.StatusOK}, {status: http.StatusUnauthorized, reason: reasonPassword}, {status: http.StatusForbidden, reason: reasonUnsigned},
		{status: http.StatusForbidden, reason: reasonSignature}, {status: http.StatusForbidden, reason: reasonWindow},
		{status: http.StatusServiceUnavailable, reason: reasonOkq},
	} {
		m.posts.WithLabelValues(strconv.Itoa(answer.status), answer.reason)
	}
	for status := range accountStatuses {
		m.account.WithLabelValues(status)
	}
	m.account.WithLabelValues("other")
	for typ, name := range eventTypes {
		if typ != typeOther && name != job.EventAccountStatus {
			m.events.WithLabelValues(name, resultNames[accepted])
		}
	}
}

func (m *metrics) answered(status int, reason string) {
	m.posts.WithLabelValues(strconv.Itoa(status), reason).Inc()
}

// counted adds a batch whose fate is known.
func (m *metrics) counted(b *batch, now time.Time) {
	for typ, byResult := range b.counts {
		for res, n := range byResult {
			if n > 0 {
				m.events.WithLabelValues(eventTypes[typ], resultNames[res]).Add(float64(n))
			}
		}
	}
	for _, at := range b.times {
		if !at.IsZero() {
			m.eventAge.Observe(now.Sub(at).Seconds())
		}
	}
	for _, status := range b.statuses {
		if !accountStatuses[status] {
			status = "other"
		}
		m.account.WithLabelValues(status).Inc()
	}
}
