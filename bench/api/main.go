// Command api measures pm-api: Enqueue of a mail of 1 KiB, on okqd's disk before the answer. Run it with
// `make bench-api`. The yardstick is a net/http server that reads the same request and answers a constant, under the
// same load; the two take turns, so that what else the machine does falls on both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/caller"
	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

func main() {
	duration := flag.Duration("duration", 3*time.Second, "length of a turn")
	turns := flag.Int("turns", 5, "turns of each")
	connections := flag.Int("connections", 64, "connections, each with a call in flight")
	yardstick := flag.Bool("yardstick", false, "be the yardstick") // used by the program itself
	push := flag.String("push", "", "okqd that the yardstick pushes to")
	flag.Parse()
	if *yardstick {
		fmt.Fprintln(os.Stderr, serveYardstick(*push))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, *duration, *turns, *connections)
	if err == nil {
		err = sweep(ctx, *duration/3)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, duration time.Duration, turns, connections int) error {
	s, err := setUp(ctx)
	if err != nil {
		return err
	}
	defer s.tearDown()
	var api, bare, ceiling []result
	for range turns + 1 { // the first warms up
		for _, of := range []struct {
			name    string
			process *process.Process
			results *[]result
		}{{"yardstick", s.bare, &bare}, {"pm-api", s.api, &api}, {"ceiling", s.ceiling, &ceiling}} {
			r, err := caller.Load(ctx, of.process.Addr, connections, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", of.name, err)
			}
			*of.results = append(*of.results, result{r})
		}
	}
	fmt.Printf("Enqueue, %d bytes a call, %d connections; median of %d turns of %v\n", len(caller.Call()), connections, turns, duration)
	fmt.Println("pm-api, fsynced:     ", median(api[1:]))
	fmt.Println("read and answer only:", median(bare[1:]))
	fmt.Println("read, push, answer:  ", median(ceiling[1:]))
	ratio, spread := report.SpreadOf(api[1:], bare[1:])
	_, most := report.SpreadOf(ceiling[1:], bare[1:])
	err = report.Add(report.Line{
		What:  fmt.Sprintf("Enqueue through pm-api onto okqd's disk, %d connections", connections),
		Value: fmt.Sprintf("%.0f calls/s", median(api[1:]).Rate()), Against: fmt.Sprintf("net/http reads and answers: %.0f calls/s", median(bare[1:]).Rate()),
		Ratio: spread, Target: ">= 0.5", Met: ratio >= 0.5,
		Why: "a net/http server that pushes what it reads, and looks at none of it, has " + most + "; see docs/performance.md",
	})
	if err != nil {
		return err
	}
	apiCPU, okqdCPU := cpuPer(s.api, api), cpuPer(s.okqd, append(api, ceiling...))
	fmt.Printf("ratio %s, of one that only pushes %s; CPU a call: pm-api %.0f µs, okqd %.0f µs, yardstick %.0f µs; peak memory of pm-api %d MiB\n",
		spread, most, apiCPU, okqdCPU, cpuPer(s.bare, bare), s.api.PeakMiB())
	if err := report.AddCost(report.CostAPI, apiCPU); err != nil {
		return err
	}
	return report.AddCost(report.CostOkqdPush, okqdCPU)
}

// A result is what one turn did.
type result struct{ caller.Result }

func (r result) String() string {
	at := func(q float64) time.Duration {
		return r.Latencies[int(q*float64(len(r.Latencies)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%6.0f calls/s, p50 %v, p99 %v, longest %v", r.Rate(), at(0.5), at(0.99), at(1))
}

// median is the turn with the median rate.
func median(results []result) result {
	sorted := slices.SortedFunc(slices.Values(results), func(a, b result) int { return len(a.Latencies) - len(b.Latencies) })
	return sorted[len(sorted)/2]
}
