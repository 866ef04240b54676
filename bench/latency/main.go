// Command latency measures how long an email takes that comes alone: from the call of Enqueue until SendGrid has it, one
// at a time, with a SendGrid that answers at once. Run it with `make bench-latency`; PM_TEST_MONGO names the database server.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	emails := flag.Int("emails", 500, "emails on each store")
	stores := flag.String("stores", "sqlite,mongo", "stores to measure, with commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for store := range strings.SplitSeq(*stores, ",") {
		if err := measure(ctx, store, *emails); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", store, err)
			os.Exit(1)
		}
	}
}

// A trip is one email's way.
type trip struct {
	answered time.Duration // from the call of Enqueue to its answer
	arrived  time.Duration // from the call of Enqueue to the POST at SendGrid
}

func measure(ctx context.Context, store string, emails int) error {
	dir, err := os.MkdirTemp("", "pm-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := setUp(ctx, dir, store)
	if err != nil {
		return err
	}
	defer s.tearDown()
	const warmUp = 20
	var trips []trip
	for i := range warmUp + emails {
		t, err := s.send(ctx)
		if err != nil {
			return err
		}
		if i >= warmUp {
			trips = append(trips, t)
		}
	}
	fmt.Printf("%s, one email at a time, SendGrid at once:\n", store)
	show := func(what string, of func(trip) time.Duration) {
		p50, p99 := percentiles(trips, of)
		fmt.Printf("  %-28s p50 %6.2f ms, p99 %6.2f ms\n", what, p50, p99)
	}
	show("Enqueue to SendGrid", func(t trip) time.Duration { return t.arrived })
	show("  Enqueue to its answer", func(t trip) time.Duration { return t.answered })
	show("  its answer to SendGrid", func(t trip) time.Duration { return t.arrived - t.answered })
	return s.showStoreCalls()
}

// percentiles are in milliseconds.
func percentiles(trips []trip, of func(trip) time.Duration) (p50, p99 float64) {
	all := make([]time.Duration, len(trips))
	for i, t := range trips {
		all[i] = of(t)
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	at := func(share float64) float64 { return float64(all[int(share*float64(len(all)-1))].Microseconds()) / 1000 }
	return at(0.5), at(0.99)
}
