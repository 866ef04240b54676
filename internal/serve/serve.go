package serve

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/internal/api"
	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/running"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/tracing"
	"github.com/levenlabs/postmaster/internal/worker"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A System is all parts, listening and not yet running.
type System struct {
	API     *api.Server
	Hooks   *hooks.Server
	Console *console.Console // nil when there is none

	worker *worker.Worker
	sender *sendgrid.Client
	okqd   *okqd.Server // nil when the queue is elsewhere
	client *okq.Client
	large  *okq.Client // for pm-api's large emails, so that no other waits behind them
	stores *store.Stores

	withdraw func()          // has the operator's commands find it no longer
	tracer   *tracing.Tracer // nil: nothing is traced
}

// New opens what cfg names and listens everywhere. Call Run, or else Close.
func New(ctx context.Context, cfg Config, env cmdutil.Env) (_ *System, err error) {
	s := &System{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	if cfg.embedsQueue() {
		s.okqd = okqd.New(cfg.okqd(), env.Log, env.Metrics)
		if err := s.okqd.Listen(); err != nil {
			return nil, fmt.Errorf("embedded queue: %w", err)
		}
		env.Ready.Add("okqd", s.okqd.Ready)
		env.Ops.HandleFunc("/queues", s.okqd.ServeQueues)
		cfg.Queue.Addrs = s.okqd.Addr().String()
	}
	if s.client, err = cfg.Queue.Client(env.Log); err != nil {
		return nil, err
	}
	env.Ready.Add("okq", s.client.Ping)
	if s.large, err = cfg.Queue.Client(env.Log); err != nil {
		return nil, err
	}
	if s.stores, err = store.OpenPatiently(ctx, cfg.store(), env.Log); err != nil {
		return nil, err
	}
	env.Ready.Add("store", s.stores.Ping)
	if s.tracer, err = cfg.Trace.Start(ctx, "postmaster", env.Log); err != nil {
		return nil, err
	}
	return s, s.addParts(cfg, env)
}

func (s *System) addParts(cfg Config, env cmdutil.Env) (err error) {
	apiDeps := api.Deps{Queue: s.client, Large: s.large, Prefs: s.stores.Prefs, Records: s.stores.Stats, Keys: s.stores.Keys, Tracer: s.tracer}
	if s.API, err = api.New(cfg.API, apiDeps, env.Log, env.Metrics); err != nil {
		return err
	}
	if s.Hooks, err = hooks.New(cfg.Hooks, s.client, env.Log, env.Metrics); err != nil {
		return err
	}
	s.sender = sendgrid.New(cfg.SendGrid, cfg.Worker.Environment, cfg.Worker.Concurrency)
	workerDeps := worker.Deps{Queue: s.client, Sender: s.sender, Stats: s.stores.Stats, Prefs: s.stores.Prefs, Beats: s.stores.Beats, Tracer: s.tracer}
	if s.worker, err = worker.New(cfg.Worker, workerDeps, env.Log, env.Metrics); err != nil {
		return err
	}
	env.Ready.Add("worker", s.worker.Ready)
	if err := errors.Join(s.API.Listen(), s.Hooks.Listen(), s.addConsole(cfg, env)); err != nil {
		return err
	}
	env.Ready.Started()
	if cfg.Unannounced {
		return nil
	}
	found := running.Instance{DataDir: cfg.DataDir, OkqAddr: cfg.Queue.List()[0], SQLite: cfg.store().SQLite}
	if s.withdraw, err = running.Announce(found); err != nil {
		env.Log.Warn().Err(err).Msg("the operator's commands will not find this process by --data-dir")
	}
	return nil
}

func (s *System) addConsole(cfg Config, env cmdutil.Env) (err error) {
	if cfg.Console.Addr == "" {
		return nil
	}
	deps := console.Deps{
		Queue: s.client, Records: s.stores.Stats, Prefs: s.stores.Prefs, Beats: s.stores.Beats, Letters: console.NewLetters(s.client, s.stores.Stats),
	}
	if s.Console, err = console.New(cfg.Console, deps, env.Log); err != nil {
		return err
	}
	return s.Console.Listen()
}

// Run runs all parts until ctx ends or one of them fails. The queue stops last, so that the others can give back what
// they hold.
func (s *System) Run(ctx context.Context) error {
	defer s.Close()
	queueCtx, stopQueue := context.WithCancel(context.WithoutCancel(ctx))
	defer stopQueue()
	queue, partsCtx := errgroup.WithContext(ctx)
	if s.okqd != nil {
		queue.Go(func() error { return s.okqd.Run(queueCtx) })
	}
	parts, partsCtx := errgroup.WithContext(partsCtx)
	parts.Go(func() error { return s.API.Run(partsCtx) })
	parts.Go(func() error { return s.Hooks.Run(partsCtx) })
	parts.Go(func() error { return s.worker.Run(partsCtx) })
	if s.Console != nil {
		parts.Go(func() error { return s.Console.Run(partsCtx) })
	}
	err := parts.Wait()
	stopQueue()
	return errors.Join(err, queue.Wait())
}

// Close frees what New opened.
func (s *System) Close() {
	if s.withdraw != nil {
		s.withdraw()
	}
	if s.sender != nil {
		s.sender.Close()
	}
	for _, client := range []*okq.Client{s.client, s.large} {
		if client != nil {
			client.Close()
		}
	}
	s.stores.Close()
	s.tracer.Close()
}
