package local

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/okqd/label"
)

// metrics are what only the engine can count.
type metrics struct {
	batch   prometheus.Histogram
	seconds prometheus.Histogram
	expiry  *prometheus.CounterVec // queue
	labels  label.Set
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "okqd_commit_batch_records", Help: "Records written in one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "okqd_commit_seconds", Help: "Time to write and fsync one commit.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		expiry: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "okqd_expiries_total", Help: "Leases that ended without an ack.",
		}, []string{"queue"}),
	}
	reg.MustRegister(m.batch, m.seconds, m.expiry)
	return m
}

func (m *metrics) committed(records int, took time.Duration) {
	m.batch.Observe(float64(records))
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) expired(queue string) { m.expiry.WithLabelValues(m.labels.Of(queue)).Inc() }
