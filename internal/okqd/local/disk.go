package local

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// disk tells, when it is scraped, how much room there is and from where on pushes are refused.
type disk struct{ space *space }

var (
	diskAvailable = prometheus.NewDesc("okqd_disk_available_bytes", "Room on the disk of --data-dir.", nil, nil)
	diskReserve   = prometheus.NewDesc("okqd_disk_reserve_bytes", "Room below which pushes are refused.", nil, nil)
)

// Describe implements prometheus.Collector.
func (d disk) Describe(ch chan<- *prometheus.Desc) { ch <- diskAvailable; ch <- diskReserve }

// Collect implements prometheus.Collector. A file system that cannot tell has no numbers.
func (d disk) Collect(ch chan<- prometheus.Metric) {
	available, reserve := math.NaN(), math.NaN()
	if a, r, err := d.space.room(); err == nil {
		available, reserve = float64(a), float64(r)
	}
	ch <- prometheus.MustNewConstMetric(diskAvailable, prometheus.GaugeValue, available)
	ch <- prometheus.MustNewConstMetric(diskReserve, prometheus.GaugeValue, reserve)
}
