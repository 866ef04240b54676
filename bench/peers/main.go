// Command peers measures postmaster against other queues that do the same work on the same machine: an HTTP call hands
// over a mail of 1 KiB, it is queued, a worker posts it to the same SendGrid, and what became of it is recorded. Run it
// with `make bench-peers`; PM_TEST_REDIS_SERVER, PM_TEST_MONGO and PM_TEST_POSTGRES are what `make services` starts.
//
// The same: one process that takes calls, one that works, 64 callers, 256 posts at a time, net/http, a SendGrid that
// answers at once, and for postmaster and asynq one Redis with an AOF that is synced each second. Not the same: each row
// says what is recorded where; river has its jobs in PostgreSQL, which here does not wait for the disk (fsync off), as
// under the MongoDB of postmaster's ledger. A peer's task is done when its handler returned; postmaster also knows a
// mail whose worker died in the middle of a post from one that was never tried, looks up who opted out, and refuses what
// SendGrid would refuse.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

func main() {
	duration := flag.Duration("duration", 3*time.Second, "how long mails are handed over in a turn")
	turns := flag.Int("turns", 3, "turns of each")
	name := flag.String("peer", "", "be a process of asynq or river") // used by the program itself, like those below
	role := flag.String("role", "", "which process: api or worker")
	queue := flag.String("queue", "", "its Redis or PostgreSQL")
	post := flag.String("post", "", "its SendGrid")
	flag.Parse()
	if *name != "" {
		fmt.Fprintln(os.Stderr, play(*name, *role, *queue, *post))
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
		r := median(results[i])
		fmt.Printf("%-52s %10.0f %10v %10.0f %9.0f µs\n", row.name, r.calls, r.p99.Round(100*time.Microsecond), r.sent, r.cpu)
	}
	return addLines(results)
}

// median is the turn in the middle by what was sent.
func median(turns []result) result {
	sorted := slices.SortedFunc(slices.Values(turns), func(a, b result) int { return int(a.sent - b.sent) })
	return sorted[len(sorted)/2]
}

// addLines holds the rows of postmaster against each peer's, from the first call until the last post.
func addLines(results [][]result) error {
	for i, peer := range rows {
		if strings.HasPrefix(peer.name, "postmaster") {
			continue
		}
		for j, ours := range rows {
			if !strings.HasPrefix(ours.name, "postmaster") {
				continue
			}
			var ratios []float64
			for turn := range results[j] {
				ratios = append(ratios, results[j][turn].sent/results[i][turn].sent)
			}
			ratio, spread := report.Spread(ratios)
			err := report.Add(report.Line{
				What: ours.name + ", enqueue to handled", Value: fmt.Sprintf("%.0f mails/s", median(results[j]).sent),
				Against: fmt.Sprintf("%s: %.0f mails/s", peer.name, median(results[i]).sent), Ratio: spread, Target: "ahead", Met: ratio > 1,
				Why: "two writes of the ledger a mail go into a MongoDB server on the same cores, which this peer does not have; a database elsewhere would leave its CPU to the rest",
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
