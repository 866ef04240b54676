package console

import (
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	// An hour is plotted in points of pointLength, of which keptPoints are kept.
	plotted     = time.Hour
	pointLength = 10 * time.Second
	keptPoints  = int(plotted / pointLength)
	// rateOver is the time that rates are means of.
	rateOver = 10 * time.Second
)

// A point is a queue at one time.
type point struct {
	at      time.Time
	total   int     // the most since the point before
	in, out float64 // events a second since the point before; less than 0: not known
}

// A reading is what okq had counted at one time.
type reading struct {
	at      time.Time
	traffic okq.Traffic
}

// history is the last hour of one queue.
type history struct {
	latest   okq.QueueStatus
	readings []reading // those of the last rateOver, and the one before
	points   []point
	first    reading // of the point that is being made
	most     int     // in it
}

// add keeps a sample. counted tells whether okq counts at all.
func (h *history) add(s okq.QueueStatus, traffic okq.Traffic, counted bool, at time.Time) {
	h.latest = s
	h.most = max(h.most, s.Total)
	now := reading{at, traffic}
	if n := len(h.readings); !counted || n > 0 && restarted(h.readings[n-1], now) {
		h.readings, h.first = nil, reading{}
	}
	if counted {
		for len(h.readings) > 1 && at.Sub(h.readings[1].at) >= rateOver {
			h.readings = h.readings[1:]
		}
		h.readings = append(h.readings, now)
	}
	if n := len(h.points); n > 0 && at.Sub(h.points[n-1].at) < pointLength {
		return
	}
	in, out := rates(h.first, now)
	if !counted {
		in, out = -1, -1
	}
	if len(h.points) >= keptPoints {
		h.points = append(h.points[:0], h.points[1:]...)
	}
	h.points = append(h.points, point{at: at, total: h.most, in: in, out: out})
	h.first, h.most = now, 0
}

// restarted tells whether the server has begun to count anew.
func restarted(before, now reading) bool {
	return now.traffic.Pushed < before.traffic.Pushed || now.traffic.Acked < before.traffic.Acked
}

// rates are those between two readings; less than 0 when there is no first one.
func rates(from, to reading) (in, out float64) {
	seconds := to.at.Sub(from.at).Seconds()
	if from.at.IsZero() || seconds <= 0 {
		return -1, -1
	}
	return (to.traffic.Pushed - from.traffic.Pushed) / seconds, (to.traffic.Acked - from.traffic.Acked) / seconds
}

// A queueView is a queue as the page shows it.
type queueView struct {
	Name                                     string
	Total, Ready, Leased, Delayed, Consumers int
	Oldest                                   time.Duration
	Paused                                   bool
	In, Out                                  float64 // a second; less than 0: not known
	Depth, Rates                             plot
}

func (h *history) view(name string, now time.Time) queueView {
	s := h.latest
	v := queueView{
		Name: name, Total: s.Total, Ready: s.Total - s.Processing - s.Delayed, Leased: s.Processing, Delayed: s.Delayed,
		Consumers: s.Consumers, Oldest: s.OldestAge, In: -1, Out: -1,
		Depth: depthPlot(h.points, now), Rates: ratePlot(h.points, now),
	}
	if n := len(h.readings); n > 1 {
		v.In, v.Out = rates(h.readings[0], h.readings[n-1])
	}
	return v
}
