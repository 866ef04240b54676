package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	dialTimeout  = 5 * time.Second
	replyTimeout = 10 * time.Second
)

// Engine implements engine.Engine.
type Engine struct {
	client rueidis.Client
	log    zerolog.Logger
	wait   int // replicas
	script script
	names  *names
	wakes  *wakes
}

var _ engine.Engine = (*Engine)(nil)

// Open connects to Redis. cfg is valid.
func Open(cfg Config, log zerolog.Logger) (*Engine, error) {
	opt := rueidis.ClientOption{
		Password: cfg.Password, DisableCache: true, DisableRetry: true, ClientName: "okqd",
		ConnWriteTimeout: replyTimeout, PipelineMultiplex: 2,
	}
	opt.Dialer.Timeout = dialTimeout
	flag := "--redis-addr"
	switch {
	case cfg.SentinelAddr != "":
		flag, opt.InitAddress, opt.Sentinel.MasterSet = "--redis-sentinel-addr", strings.Split(cfg.SentinelAddr, ","), cfg.SentinelGroup
	case cfg.Cluster:
		opt.InitAddress = strings.Split(cfg.Addr, ",")
	default:
		opt.InitAddress, opt.ForceSingleClient = []string{cfg.Addr}, true
	}
	if cfg.Wait > 0 {
		opt.PipelineMultiplex = -1 // one connection, so that WAIT waits for what went before it
	}
	client, err := rueidis.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	e := &Engine{client: client, log: log.With().Str("component", "redis").Logger(), wait: cfg.Wait, script: newScript()}
	e.names = newNames(client)
	e.wakes = newWakes(e)
	return e, nil
}

// Run implements engine.Engine.
func (e *Engine) Run(ctx context.Context) error {
	defer e.client.Close()
	var wg sync.WaitGroup
	wg.Go(func() { e.wakes.listen(ctx) })
	wg.Go(func() { e.wakes.tick(ctx) })
	wg.Go(func() { e.wakes.beat(ctx) })
	wg.Wait()
	return nil
}

// Ready implements engine.Engine.
func (e *Engine) Ready(ctx context.Context) error {
	if err := e.client.Do(ctx, e.client.B().Ping().Build()).Error(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

var errReplicas = errors.New("too few replicas have the change")

// replicated waits until --redis-wait replicas have what was done before.
func (e *Engine) replicated(ctx context.Context) error {
	if e.wait == 0 {
		return nil
	}
	wait := e.client.B().Wait().Numreplicas(int64(e.wait)).Timeout(replyTimeout.Milliseconds() / 2).Build()
	n, err := e.client.Do(ctx, wait).AsInt64()
	if err != nil {
		return fmt.Errorf("wait for replicas: %w", err)
	}
	if n < int64(e.wait) {
		return fmt.Errorf("%w: %d of %d", errReplicas, n, e.wait)
	}
	return nil
}
