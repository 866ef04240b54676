package okq

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// leases extends the leases of all unfinished deliveries, each when a third of it is over.
type leases struct {
	client *Client
	lease  time.Duration
	count  *counters

	mu   sync.Mutex // protects live
	live map[*Delivery]bool
}

func (l *leases) add(d *Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live[d] = true
}

func (l *leases) remove(d *Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, d)
}

func (l *leases) all() []*Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.live))
}

// keep runs until ctx ends. A touch that fails is tried again at the next tick.
func (l *leases) keep(ctx context.Context) {
	ticker := time.NewTicker(min(max(l.lease/20, 20*time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			var due []*Delivery
			for _, d := range l.all() {
				if d.due(now) {
					due = append(due, d)
				}
			}
			for some := range slices.Chunk(due, maxPipeline) {
				l.touch(ctx, some)
			}
		}
	}
}

// touch extends leases in one pipeline. It waits no longer than the other leases can: for a third of one.
func (l *leases) touch(ctx context.Context, due []*Delivery) {
	ctx, cancel := context.WithTimeout(ctx, l.lease/3)
	defer cancel()
	cmds := make([]command, len(due))
	for i, d := range due {
		cmds[i] = command{name: "QTOUCH", queue: d.Queue, args: append([]string{d.ID, "EX", leaseSeconds(l.lease)}, d.leaseArgs()...)}
	}
	asked := time.Now() // before the server's new lease begins
	msgs, errs := l.client.doAll(ctx, cmds)
	for i, d := range due {
		if errs[i] != nil {
			continue
		}
		held, err := isOne("QTOUCH", msgs[i])
		switch {
		case err != nil:
		case held:
			l.count.touched.Add(1)
			d.extended(asked, l.lease)
		default:
			d.refused()
		}
	}
}
