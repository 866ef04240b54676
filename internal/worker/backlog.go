package worker

import (
	"context"
	"time"
)

// watchEvery is how often the queues are asked how they stand.
const watchEvery = 15 * time.Second

// watchBacklog keeps the metrics of the queues that are consumed, until ctx ends. An okq that does not answer leaves them
// as they were: /readyz and the log tell of it.
func (w *Worker) watchBacklog(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		w.readBacklog(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *Worker) readBacklog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	statuses, err := w.deps.Queue.Status(ctx, w.cfg.Queues...)
	if err != nil {
		return
	}
	for _, s := range statuses {
		w.m.backlog.WithLabelValues(s.Queue).Set(float64(s.Total))
		w.m.oldest.WithLabelValues(s.Queue).Set(s.OldestAge.Seconds())
	}
}
