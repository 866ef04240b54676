package okqd

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/label"
)

// depthCollector asks the engine for the state of the queues when it is scraped.
type depthCollector struct {
	engine engine.Engine
	labels *label.Set
}

const statusTimeout = 5 * time.Second

var depthDescs = struct{ total, ready, leased, delayed, consumers, oldest *prometheus.Desc }{
	depthDesc("okqd_queue_depth", "Events that are not gone."),
	depthDesc("okqd_queue_ready", "Events that a pop would give."),
	depthDesc("okqd_queue_leased", "Events popped and not acknowledged."),
	depthDesc("okqd_queue_delayed", "Events that are not to be seen yet."),
	depthDesc("okqd_queue_consumers", "Clients registered for the queue."),
	depthDesc("okqd_queue_oldest_ready_seconds", "How long the longest waiting ready event has been ready."),
}

func depthDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"queue"}, nil)
}

func (c depthCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c depthCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	byLabel := make(map[string]engine.Row)
	rows, _ := queueRows(ctx, c.engine, nil) // an engine that cannot tell has no gauges
	for _, row := range rows {
		name := c.labels.Of(row.Queue)
		byLabel[name] = sum(byLabel[name], row)
	}
	for name, row := range byLabel {
		gauge := func(desc *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, name)
		}
		gauge(depthDescs.total, float64(row.Total()))
		gauge(depthDescs.ready, float64(row.Ready))
		gauge(depthDescs.leased, float64(row.Leased))
		gauge(depthDescs.delayed, float64(row.Delayed))
		gauge(depthDescs.consumers, float64(row.Consumers))
		gauge(depthDescs.oldest, row.OldestReady.Seconds())
	}
}

// sum is for queues that share a label.
func sum(a, b engine.Row) engine.Row {
	return engine.Row{
		Ready: a.Ready + b.Ready, Leased: a.Leased + b.Leased, Delayed: a.Delayed + b.Delayed,
		Consumers: a.Consumers + b.Consumers, OldestReady: max(a.OldestReady, b.OldestReady),
	}
}

// queueRows returns the states of the queues that are named, or of all.
func queueRows(ctx context.Context, eng engine.Engine, names [][]byte) ([]engine.Row, error) {
	ops := []engine.Op{{Kind: engine.Status, Queues: names}}
	eng.Exec(ctx, ops, &engine.Room{})
	return statusRows(&ops[0]), ops[0].Err
}
