// Command peers measures postmaster against other queues that do the same work on the same machine: an HTTP call hands
// over a mail of 1 KiB, it is queued in Redis, a worker posts it to the same SendGrid, and what became of it is
// recorded. Run it with `make bench-peers`; PM_TEST_REDIS_SERVER and PM_TEST_MONGO are what `make services` starts.
//
// The same: one process that takes calls, one that works, 64 callers, 256 posts at a time, one Redis with an AOF that is
// synced each second, net/http, a SendGrid that answers at once. Not the same: each row says what is recorded where. A
// peer's task is done when its handler returned; postmaster also knows a mail whose worker died in the middle of a post
// from one that was never tried, looks up who opted out, and refuses what SendGrid would refuse.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

func main() {
	duration := flag.Duration("duration", 3*time.Second, "how long mails are handed over in a turn")
	turns := flag.Int("turns", 3, "turns of each")
	role := flag.String("role", "", "be asynq-api or asynq-worker") // used by the program itself
	redis := flag.String("redis", "", "with -role")
	post := flag.String("post", "", "with -role")
	flag.Parse()
	if *role != "" {
		fmt.Fprintln(os.Stderr, play(*role, *redis, *post))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *duration, *turns); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, duration time.Duration, turns int) error {
	dir, err := os.MkdirTemp("", "pm-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := process.Build(ctx, dir, "./cmd/okqd", "./cmd/pm-api", "./cmd/pm-worker"); err != nil {
		return err
	}
	results := make([][]result, len(rows))
	for range turns {
		for i, row := range rows {
			r, err := measure(ctx, dir, row, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", row.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s: %.0f calls/s, %.0f sent/s\n", row.name, r.calls, r.sent)
			results[i] = append(results[i], r)
		}
	}
	fmt.Printf("handed over for %v on 64 connections, then worked off; median of %d turns\n\n", duration, turns)
	fmt.Printf("%-52s %10s %10s %10s %12s\n", "", "calls/s", "p99", "sent/s", "CPU a mail")
	for i, row := range rows {
		slices.SortFunc(results[i], func(a, b result) int { return int(a.sent - b.sent) })
		r := results[i][turns/2]
		fmt.Printf("%-52s %10.0f %10v %10.0f %9.0f µs\n", row.name, r.calls, r.p99.Round(100*time.Microsecond), r.sent, r.cpu)
	}
	return nil
}
