package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// pauseEvery is how often a worker asks whether its queues are paused, and so about how long a pause takes to reach it.
const pauseEvery = time.Second

var errPaused = errors.New("the queue is paused")

// pauses are what operators stopped: a queue is paused while there is an event in its pause queue (job.Pause). While okq
// does not answer, a queue stays what it was.
type pauses struct {
	client *okq.Client
	log    zerolog.Logger
	m      *metrics
	queues []string

	mu    sync.Mutex               // protects the fields below
	stops map[string]*stoppedQueue // by queue; all of queues are in it
}

type stoppedQueue struct {
	paused bool
	ctx    context.Context // ends when the queue is paused
	stop   context.CancelCauseFunc
	times  sendcontrol.Intervals
}

func newPauses(client *okq.Client, log zerolog.Logger, m *metrics, queues []string) *pauses {
	p := &pauses{client: client, log: log, m: m, queues: queues, stops: map[string]*stoppedQueue{}}
	for _, q := range queues {
		p.stops[q] = &stoppedQueue{}
		p.stops[q].ctx, p.stops[q].stop = context.WithCancelCause(context.Background())
		m.paused.WithLabelValues(q).Set(0)
	}
	return p
}

// watch keeps looking until ctx ends.
func (p *pauses) watch(ctx context.Context) {
	ticker := time.NewTicker(pauseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.look(ctx) //nolint:errcheck // the next look may tell
		}
	}
}

// await looks until okq has answered: nothing may be taken from a queue before it is known not to be paused.
func (p *pauses) await(ctx context.Context) error {
	for failures := 1; ; failures++ {
		err := p.look(ctx)
		if err == nil {
			return nil
		}
		if failures == 1 {
			p.log.Warn().Err(err).Msg("cannot ask which queues are paused, will retry")
		}
		if !pause(ctx, failures) {
			return context.Cause(ctx)
		}
	}
}

func (p *pauses) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	names := make([]string, len(p.queues))
	for i, q := range p.queues {
		names[i] = job.PauseQueue(q)
	}
	statuses, err := p.client.Status(ctx, names...)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if q, ok := job.PausedBy(s.Queue); ok {
			p.set(q, s.Total > 0)
		}
	}
	return nil
}

func (p *pauses) set(queue string, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stops[queue]
	if s == nil || s.paused == paused {
		return
	}
	s.paused = paused
	if paused {
		s.stop(errPaused)
		s.times.Begin(time.Now())
		p.m.paused.WithLabelValues(queue).Set(1)
		p.log.Warn().Str("queue", queue).Msg("queue paused")
		return
	}
	s.times.End(time.Now())
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	p.m.paused.WithLabelValues(queue).Set(0)
	p.log.Info().Str("queue", queue).Msg("queue resumed")
}

func (p *pauses) paused(queue string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stops[queue]
	return s != nil && s.paused
}

// running returns a context that ends when the queue is paused.
func (p *pauses) running(queue string) context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.stops[queue]; s != nil {
		return s.ctx
	}
	return context.Background()
}

// stopped returns for how long of the time since then a queue was paused.
func (p *pauses) stopped(queue string, since time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.stops[queue]; s != nil {
		return s.times.Within(since, time.Now())
	}
	return 0
}
