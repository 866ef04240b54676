package worker

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
)

// beat tells those who look at the console how this worker stands, until ctx ends. A store that is away is told of by
// the log and the metrics already.
func (w *Worker) beat(ctx context.Context) {
	if w.deps.Beats == nil {
		return
	}
	started := time.Now()
	ticker := time.NewTicker(heartbeat.Every)
	defer ticker.Stop()
	for {
		w.writeBeat(ctx, started, false)
		select {
		case <-ctx.Done():
			w.writeBeat(context.WithoutCancel(ctx), started, true)
			return
		case <-ticker.C:
		}
	}
}

func (w *Worker) writeBeat(ctx context.Context, started time.Time, ended bool) {
	ctx, cancel := context.WithTimeout(ctx, heartbeat.Every)
	defer cancel()
	b := heartbeat.Beat{
		Worker: workerName(), Started: started, At: time.Now(), Queues: w.cfg.Queues, Ended: ended,
	}
	b.State, b.Until, b.InHand = w.gate.standing()
	if err := w.deps.Beats.Beat(ctx, b); err != nil && ctx.Err() == nil {
		w.log.Debug().Err(err).Msg("heartbeat not written")
	}
}

// workerName is the host's name, which in Kubernetes is the pod's, and the process.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// standing returns what keeps the gate shut, and until when at least.
func (g *gate) standing() (state string, until time.Time, inHand int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.outages) > 0 {
		return heartbeat.StoreAway, time.Time{}, g.hand
	}
	why, until := g.control.State()
	return states[why], until, g.hand
}

var states = map[sendcontrol.State]string{
	sendcontrol.Sending: heartbeat.Sending, sendcontrol.Limited: heartbeat.RateLimited,
	sendcontrol.Refused: heartbeat.Refused, sendcontrol.Away: heartbeat.Away,
}
