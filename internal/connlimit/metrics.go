package connlimit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Why a connection was closed: the label of Metrics.Closed.
const (
	reasonShare  = "share"  // strangers had all their places, and this one was the slowest
	reasonPeer   = "peer"   // its peer had more strangers than one may have
	reasonTime   = "time"   // it took longer than Policy.AuthTime
	reasonTries  = "tries"  // too many wrong credentials
	reasonMemory = "memory" // the memory of its request was needed
)

// Metrics are those of one listener.
type Metrics struct {
	Open            prometheus.Gauge
	Unauthenticated prometheus.Gauge
	Closed          *prometheus.CounterVec // reason
}

// NewMetrics makes PREFIX_connections, PREFIX_unauthenticated_connections and PREFIX_connections_closed_total{reason}.
func NewMetrics(prefix string) *Metrics {
	m := &Metrics{
		Open:            prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_connections", Help: "Open connections."}),
		Unauthenticated: prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "_unauthenticated_connections", Help: "Open connections whose client has not authenticated or whose request has not arrived."}),
		Closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "_connections_closed_total", Help: "Connections closed because others needed their place, or for wrong credentials.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{reasonShare, reasonPeer, reasonTime, reasonTries, reasonMemory} {
		m.Closed.WithLabelValues(reason)
	}
	return m
}

// Collectors are what has to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Open, m.Unauthenticated, m.Closed}
}

// Sampled returns a logger for what strangers do: of the lines of a second it writes the first five, so that nobody
// fills a disk from outside. Metrics count all.
func Sampled(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 5, Period: time.Second})
}
