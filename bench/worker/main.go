// Command worker measures pm-worker against real processes: okqd on disk, MongoDB, and a SendGrid that answers after a
// fixed time. Run it with `make bench-worker`; PM_TEST_MONGO names the database server.
//
//	drain 50 ms   mails per second with 256 in flight
//	drain 0 ms    CPU per mail, and the rate as a share of a loop that only posts the same mails
//	fold          webhook events per second
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	mails := flag.Int("mails", 20_000, "mails of each drain")
	events := flag.Int("events", 200_000, "events of the fold")
	inFlight := flag.Int("concurrency", 256, "pm-worker's --concurrency")
	store := flag.String("store", "mongo", "mongo, sqlite or none")
	only := flag.Duration("only", -1, "the one latency of SendGrid to measure, without the fold; all if negative")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *store, *mails, *events, *inFlight, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, store string, mails, events, inFlight int, only time.Duration) error {
	dir, err := os.MkdirTemp("", "pm-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := setUp(ctx, dir, store, inFlight)
	if err != nil {
		return err
	}
	defer b.tearDown()
	for _, latency := range []time.Duration{200 * time.Millisecond, 100 * time.Millisecond, 50 * time.Millisecond, 20 * time.Millisecond, 0} {
		if only >= 0 && latency != only {
			continue
		}
		n, turns := mails, 3
		if latency != 50*time.Millisecond && latency != 0 { // those that have no target
			n, turns = mails/2, 1
		}
		if err := b.drain(ctx, n, turns, latency); err != nil {
			return fmt.Errorf("drain at %v: %w", latency, err)
		}
	}
	if store == "none" || only >= 0 {
		return nil
	}
	if err := b.fold(ctx, events); err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	return nil
}
