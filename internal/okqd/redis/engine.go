package redis

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// Engine implements engine.Engine.
type Engine struct {
	client     rueidis.Client
	log        zerolog.Logger
	replicas   int // that must have a change
	cluster    bool
	partitions int // of each queue
	script     script
	slack      slack
	members    *members
	names      *names
	wakes      *wakes
	guard      *guard
	hurried    sync.WaitGroup
}

var _ engine.Engine = (*Engine)(nil)

// Open connects to Redis, and refuses one that may evict events. cfg is valid.
func Open(cfg Config, log zerolog.Logger, reg prometheus.Registerer) (*Engine, error) {
	client, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	log = log.With().Str("component", "redis").Logger()
	e := newEngine(client, log, cfg.Partitions)
	e.replicas, e.cluster, e.names.replicas = cfg.Wait, cfg.Cluster, cfg.Wait
	ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
	defer cancel()
	e.guard = newGuard(client, log, reg)
	if err = e.guard.look(ctx); err != nil {
		err = fmt.Errorf("%s: %w", cfg.addrFlag(), err)
	} else {
		err = e.members.enter(ctx, e.emptyIn)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return e, nil
}

func newEngine(client rueidis.Client, log zerolog.Logger, partitions int) *Engine {
	e := &Engine{client: client, log: log, partitions: partitions, script: newScript(client), names: newNames(client)}
	e.members = newMembers(client, partitions)
	e.wakes = newWakes(e)
	return e
}

// Run implements engine.Engine. It ends early when others have changed --partitions.
func (e *Engine) Run(ctx context.Context) error {
	defer e.hurried.Wait() // which the client's end ends
	defer e.client.Close()
	defer e.members.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { e.wakes.listen(ctx) })
	wg.Go(func() { e.wakes.tick(ctx) })
	wg.Go(func() { e.wakes.beat(ctx) })
	wg.Go(func() { e.guard.watch(ctx) })
	wg.Go(func() { cancel(e.members.beat(ctx, e.log)) })
	wg.Wait()
	return e.members.refused()
}

// QueueSet implements engine.Engine.
func (e *Engine) QueueSet() string { return e.members.identity() }

// Ready implements engine.Engine.
func (e *Engine) Ready(ctx context.Context) error {
	if err := e.guard.refused(); err != nil {
		return err
	}
	return e.hurry(ctx, func(ctx context.Context) error {
		if err := e.client.Do(ctx, e.client.B().Ping().Build()).Error(); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		return nil
	})
}
