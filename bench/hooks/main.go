// Command hooks measures pm-hooks: signed POSTs of 1,000 events, verified and on okqd's disk before the answer. Run it
// with `make bench-hooks`. The yardstick is a handler that only reads a POST and verifies it, under the same load from
// the same generator; the two take turns, so that what else the machine does falls on both.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

func main() {
	duration := flag.Duration("duration", 4*time.Second, "length of a turn")
	turns := flag.Int("turns", 3, "turns of each")
	connections := flag.Int("connections", 16, "POSTs in flight")
	yardstick := flag.String("yardstick", "", "be the yardstick, for this public key") // used by the program itself
	push := flag.String("push", "", "okqd that the yardstick pushes to")
	flag.Parse()
	if *yardstick != "" {
		fmt.Fprintln(os.Stderr, serveYardstick(*yardstick, *push))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *duration, *turns, *connections); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, duration time.Duration, turns, connections int) error {
	gen, err := newGenerator("../internal/hooks/testdata/sendgrid-events.wire", connections)
	if err != nil {
		return err
	}
	s, err := setUp(ctx, gen.publicKey)
	if err != nil {
		return err
	}
	defer s.tearDown()
	var hooks, bare, ceiling []result
	for range turns {
		for _, t := range []struct {
			url     string
			results *[]result
		}{{url(s.bare), &bare}, {url(s.hooks), &hooks}, {url(s.ceiling), &ceiling}} {
			r, err := gen.load(ctx, t.url, duration)
			if err != nil {
				return err
			}
			*t.results = append(*t.results, r)
		}
	}
	best := func(rs []result) result {
		return slices.MaxFunc(rs, func(a, b result) int { return cmp.Compare(a.Rate(), b.Rate()) })
	}
	h, y, c := best(hooks), best(bare), best(ceiling)
	fmt.Printf("POSTs of %d events, %d bytes, %d in flight; best of %d turns of %v\n", eventsPerPost, gen.size(), connections, turns, duration)
	fmt.Println("pm-hooks:            ", h)
	fmt.Println("read and verify only:", y)
	fmt.Println("read, verify, push:  ", c)
	_, most := report.SpreadOf(ceiling, bare)
	if err := addLines(h, y, hooks, bare, most); err != nil {
		return err
	}
	perPost := cpuPerPost(s.hooks, hooks)
	fmt.Printf("ratio of the best turns %.2f, of one that only verifies and pushes %s; CPU a POST: pm-hooks %.2f ms, okqd %.2f ms, yardstick %.2f ms; pm-hooks' peak %d MiB\n",
		h.Rate()/y.Rate(), most, perPost, cpuPerPost(s.okqd, append(hooks, ceiling...)), cpuPerPost(s.bare, bare), s.hooks.PeakMiB())
	return report.AddCost(report.CostHooks, perPost*1000/eventsPerPost)
}

// addLines hands on pm-hooks' best turn and the yardstick's. most is what the ceiling has of the yardstick.
func addLines(h, y result, hooks, bare []result, most string) error {
	ratio, spread := report.SpreadOf(hooks, bare)
	err := report.Add(report.Line{
		What: fmt.Sprintf("webhook POSTs of %d events through pm-hooks, verified and on okqd's disk", eventsPerPost), Value: fmt.Sprintf("%.0f events/s", h.Rate()),
		Target: ">= 50,000", Met: h.Rate() >= 50_000, Why: report.Noise,
	})
	if err != nil {
		return err
	}
	return report.Add(report.Line{
		What: "the same", Value: fmt.Sprintf("%.0f events/s", h.Rate()), Against: fmt.Sprintf("net/http reads and verifies: %.0f events/s", y.Rate()),
		Ratio: spread, Target: ">= 0.5", Met: ratio >= 0.5,
		Why: "a handler that pushes what it verified, and looks at no event, has " + most + "; see docs/performance.md",
	})
}

// A result is what one turn did.
type result struct {
	took      time.Duration
	latencies []time.Duration // of the POSTs answered 200
	other     map[int]int     // other answers by status
}

func (r result) Rate() float64 {
	return float64(len(r.latencies)*eventsPerPost) / r.took.Seconds()
}

func (r result) String() string {
	if len(r.latencies) == 0 {
		return fmt.Sprint("no POST was taken: ", r.other)
	}
	slices.Sort(r.latencies)
	at := func(q float64) time.Duration {
		return r.latencies[int(q*float64(len(r.latencies)-1))].Round(100 * time.Microsecond)
	}
	s := fmt.Sprintf("%7.0f events/s, p50 %v, p99 %v, longest %v", r.Rate(), at(0.5), at(0.99), at(1))
	for status, n := range r.other {
		s += fmt.Sprintf(", %d times %d %s", n, status, http.StatusText(status))
	}
	return s
}
