package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/tracing"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A Sender posts one mail and says what became of it. It is safe for concurrent use.
type Sender interface {
	Send(context.Context, *job.Email) sendgrid.Result
}

// Deps are the services that a worker works with. Stats and Prefs are both nil without a store: then no opt-out is
// known and nothing is remembered of a mail, so that one whose worker died is sent again.
type Deps struct {
	Queue  *okq.Client
	Sender Sender
	Stats  stats.Store
	Prefs  prefs.Store
	Beats  heartbeat.Store // may be nil
	Tracer *tracing.Tracer // nil: nothing is traced
}

const (
	batchSize    = 256 // mails that are looked up and permitted together
	groupSize    = 512
	groupFlights = 2 // one group is written while the answer of the other is on its way
	// groupPace makes groups large while SendGrid takes its time: small ones cost the database more for each mail. It
	// applies in full from company emails under way on.
	groupPace = 15 * time.Millisecond
	company   = 17
)

// A Worker consumes queues until its Run ends.
type Worker struct {
	cfg      Config
	deps     Deps
	log      zerolog.Logger
	m        *metrics
	gate     *gate
	control  *sendcontrol.Control
	began    time.Time // of what this process knows to have been stopped
	failures failures
	rate     *rate.Limiter

	starts *starts
	paced  *places // held by the one mail that waits for the rate limiter

	underWay atomic.Int64 // mails from the start of an attempt to the end of what follows from it

	begins   *group[stats.Attempt, bool]
	settles  *group[stats.Settlement, struct{}]
	asks     *group[[]string, map[string]int64]
	lookups  *group[job.ID, *stats.Record]
	tokens   tokens
	pauses   *pauses
	evidence *evidence
	suspects chan struct{} // held by the one job that is decoded alone, see suspect.go
}

// New returns a worker that does nothing until Run.
func New(cfg Config, deps Deps, log zerolog.Logger, reg prometheus.Registerer) (*Worker, error) {
	if (deps.Stats == nil) != (deps.Prefs == nil) {
		return nil, errors.New("a worker needs both stores or none")
	}
	w := &Worker{
		cfg: cfg, deps: deps, log: log, m: newMetrics(reg),
		rate:     rate.NewLimiter(rate.Inf, 1),
		starts:   newStarts(cfg.Concurrency),
		paced:    newPlaces(1),
		suspects: make(chan struct{}, 1),
		tokens:   newTokens(),
		began:    time.Now(),
	}
	if cfg.Rate > 0 {
		w.rate.SetLimit(rate.Limit(cfg.Rate))
	}
	w.control = sendcontrol.New(sendcontrol.Options{Concurrency: cfg.Concurrency, Log: log, Open: w.m.breaker, Pauses: w.m.pauses})
	w.gate = newGate(log, w.m, w.control)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pm_worker_gate_stuck", Help: "1 while sending is stopped and nothing is under way that could end that.",
	}, w.gate.stuck))
	w.evidence = newEvidence(deps, cfg.Lease, log, w.m)
	w.pauses = newPauses(deps.Queue, log, w.m, cfg.Queues)
	w.begins = newGroup(groupSize, groupFlights, w.pace, w.writeAttempts)
	w.settles = newGroup(groupSize, groupFlights, w.pace, w.writeSettlements)
	w.asks = newGroup(groupSize, groupFlights, w.pace, w.readFlags)
	w.lookups = newGroup(groupSize, groupFlights, w.pace, w.readRecords)
	return w, nil
}

// pace is how far apart calls to the ledger begin: the more emails are under way, the farther, and for one alone not at all.
func (w *Worker) pace() time.Duration {
	others := max(int(w.underWay.Load())-1, 0)
	return groupPace * time.Duration(min(others, company-1)) / (company - 1)
}

// Ready returns an error while a store keeps the worker from sending, or while sending is stopped for no reason.
func (w *Worker) Ready(context.Context) error { return w.gate.ready() }

// Run consumes until ctx ends, then lets running jobs finish within --drain-wait, gives back the others, and returns.
func (w *Worker) Run(ctx context.Context) error {
	if w.deps.Stats == nil {
		w.log.Warn().Msg("no store: opt-outs are not known, and a mail whose worker dies is sent again")
	} else if err := w.awaitStore(ctx); err != nil {
		return nil // stopped before anything was taken
	}
	if w.pauses.await(ctx) != nil {
		return nil
	}
	consumers, err := w.consumers(ctx)
	if err != nil {
		return err
	}
	w.log.Info().Strs("queues", w.cfg.Queues).Int("concurrency", w.cfg.Concurrency).Msg("consuming")
	var running errgroup.Group
	for _, c := range consumers {
		running.Go(func() error { return c.Run(ctx) })
	}
	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { w.watchBacklog(watching) })
	watch.Go(func() { w.pauses.watch(watching) })
	watch.Go(func() { w.beat(watching) })
	if w.deps.Stats != nil {
		watch.Go(func() { w.evidence.watch(watching) })
	}
	err = running.Wait()
	stopWatching()
	watch.Wait()
	w.begins.wait()
	w.settles.wait()
	w.asks.wait()
	w.lookups.wait()
	return err
}

// nobody is the ID of no email.
const nobody = job.ID("000000000000000000000000")

// awaitStore returns once the store has answered. A worker that takes jobs before would only hold them; one that is
// killed and started again while the store is away would even wear out their deliveries.
func (w *Worker) awaitStore(ctx context.Context) error {
	return w.stored(ctx, "lookup", func(ctx context.Context) error {
		if _, err := w.deps.Stats.Lookup(ctx, []job.ID{nobody}); err != nil {
			return err
		}
		_, err := w.deps.Prefs.Flags(ctx, []string{"nobody@example.invalid"})
		return err
	})
}

// consumers returns one for email-high, one for the other emails and one for the events, as far as they are to be consumed.
func (w *Worker) consumers(ctx context.Context) ([]*okq.Consumer, error) {
	var high, mails, events []okq.QueueWeight
	for _, q := range w.cfg.Queues {
		switch {
		case q == job.QueueEmailHigh:
			high = append(high, okq.QueueWeight{Queue: q, Weight: weights[q]})
		case q != job.QueueStats:
			mails = append(mails, okq.QueueWeight{Queue: q, Weight: weights[q]})
		case w.deps.Stats != nil:
			events = append(events, okq.QueueWeight{Queue: q, Weight: weights[q]})
		default:
			w.log.Warn().Str("queue", q).Msg("no store: events are not consumed")
		}
	}
	var list []*okq.Consumer
	add := func(queues []okq.QueueWeight, opts okq.ConsumerOptions) error {
		if len(queues) == 0 {
			return nil
		}
		opts.Queues, opts.Lease, opts.DrainWait, opts.Log = queues, w.cfg.Lease, w.cfg.DrainWait, w.log
		opts.Skip = w.pauses.paused
		c, err := okq.NewConsumer(w.deps.Queue, opts)
		if err != nil {
			return fmt.Errorf("consume %v: %w", queues, err)
		}
		list = append(list, c)
		return nil
	}
	emails := okq.ConsumerOptions{
		Concurrency: w.cfg.inHand(), Limit: w.starts.hand, Batch: min(batchSize, w.cfg.inHand()), Gate: w.gate.waitPop,
		Handle: func(jobs context.Context, batch []*okq.Delivery) { w.handleMails(ctx, jobs, batch) },
	}
	urgent := emails // by themselves: they wait for no email of another queue to be finished
	urgent.Gate = w.gate.waitPopHigh
	err := errors.Join(
		add(high, urgent),
		add(mails, emails),
		add(events, okq.ConsumerOptions{
			Concurrency: 2 * foldBatch, Batch: foldBatch, Linger: 20 * time.Millisecond, Gate: w.gate.waitStore,
			Handle: w.handleEvents,
		}))
	return list, err
}
