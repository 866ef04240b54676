package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A row is one run: one engine of okqd, and all that happens to the system on it.
type row struct {
	config
	name  string
	sys   *system
	watch watch
	dice  *rand.Rand
	began time.Time

	operators *operators

	failovers int // of Redis, that Sentinels brought about

	mu      sync.Mutex // protects the fields below
	events  []event
	current string // what goes wrong now
}

// An event is a fault that was, and how long the system took to recover once it was mended.
type event struct {
	kinds    []string // several struck at once
	what     string
	at       time.Duration // since the start
	lasted   time.Duration
	recovery recovery
}

const progressEvery = 10 * time.Second

func runRow(ctx context.Context, cfg config, name string, engine engine) (*verdict, error) {
	dir := filepath.Join(cfg.bin, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	r := &row{config: cfg, name: name, dice: rand.New(rand.NewPCG(cfg.seed, 1)), began: time.Now()}
	all, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	background.Go(func() { r.watch.run(all) })
	sys, err := startSystem(all, cfg, dir, engine)
	defer func() {
		stop()
		sys.close()
	}()
	if err != nil {
		return nil, err
	}
	r.sys = sys
	fmt.Printf("%s: seed %d, %v, %d processes\n", name, cfg.seed, cfg.duration, len(sys.programs))
	background.Go(func() { r.tell(all) })
	if err := r.torment(ctx); err != nil {
		return nil, err
	}
	drained, err := r.drain(ctx)
	if err != nil {
		return nil, err
	}
	return r.judge(ctx, drained)
}

// torment has callers enqueue while faults strike.
func (r *row) torment(ctx context.Context) error {
	calling, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	r.operators = newOperators(r.sys)
	wg.Go(func() { r.sys.callers.run(calling) })
	wg.Go(func() { r.operators.run(calling) })
	return r.strikeAll(ctx)
}

// tell prints how it goes.
func (r *row) tell(ctx context.Context) {
	for {
		sleep(ctx, progressEvery)
		if ctx.Err() != nil {
			return
		}
		acknowledged, refused := r.sys.ledger.counts()
		_, _, told := r.sys.relay.counts()
		line := fmt.Sprintf("[%7s] %s: acknowledged %d, refused %d, events answered 200 %d", r.watch.now().Round(time.Second), r.name, acknowledged, refused, told)
		if left, err := r.sys.left(ctx); err == nil {
			line += fmt.Sprintf(", queued %d mails and %d POSTs", left.mails, left.batches)
		}
		r.mu.Lock()
		now := r.current
		r.mu.Unlock()
		if now != "" {
			line += "; now: " + now
		}
		fmt.Println(line)
	}
}

// drain waits, with everything mended, until nothing is under way, and returns how long that took; false: it did not end.
func (r *row) drain(ctx context.Context) (drained, error) {
	const limit = 10 * time.Minute
	begin := r.watch.now()
	if err := r.sys.sendgrid.setFaults(0); err != nil {
		return drained{}, err
	}
	for quiet := 0; r.watch.now()-begin < limit && ctx.Err() == nil; {
		sleep(ctx, 500*time.Millisecond)
		left, err := r.sys.left(ctx)
		if err != nil || left.mails+left.batches > 0 {
			quiet = 0
			continue
		}
		c, err := r.sys.sendgrid.counters()
		if err != nil || c.Webhook.Buffered > 0 {
			quiet = 0
			continue
		}
		if quiet++; quiet == 4 {
			return drained{true, r.watch.now() - begin}, nil
		}
	}
	return drained{false, r.watch.now() - begin}, ctx.Err()
}

type drained struct {
	done bool
	took time.Duration
}
