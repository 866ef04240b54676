// Command sim reckons how postmaster scales, from what each process was measured to cost (bench/costs.json, which
// `make bench` writes), and plays an outage of SendGrid. docs/scale.md is made of what it prints:
//
//	cd bench && go run ./sim -plots ../docs/plots
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

// A setting is what the costs do not tell.
type setting struct {
	latency       time.Duration // of SendGrid
	inFlight      float64       // of a pm-worker
	events        float64       // webhook events a mail
	perPost       float64       // events in a POST of SendGrid's webhook
	load          float64       // share of a core that a process is planned to use
	databaseCores float64       // of one shard
}

func main() {
	var s setting
	costs := flag.String("costs", "costs.json", "what each process costs")
	plots := flag.String("plots", "", "folder for the plots")
	outage := flag.Duration("outage", time.Hour, "how long SendGrid is away")
	rate := flag.Float64("rate", 1000, "mails a second while it is away")
	flag.DurationVar(&s.latency, "latency", 100*time.Millisecond, "SendGrid answers after")
	flag.Float64Var(&s.inFlight, "in-flight", 128, "mails in flight in one pm-worker: --concurrency")
	flag.Float64Var(&s.events, "events", 4, "webhook events a mail")
	flag.Float64Var(&s.perPost, "per-post", 100, "events in a webhook POST")
	flag.Float64Var(&s.load, "load", 0.6, "share of a core that a process is planned to use")
	flag.Float64Var(&s.databaseCores, "database-cores", 8, "cores of a database shard")
	flag.Parse()
	if err := run(*costs, *plots, s, *rate, *outage); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path, folder string, s setting, rate float64, outage time.Duration) error {
	costs, err := report.ReadCosts(path)
	if err != nil {
		return err
	}
	m, err := newModel(costs, s)
	if err != nil {
		return err
	}
	m.printSizes([]float64{1000, 10_000, 100_000})
	m.printWaits()
	points := m.printOutage(rate, outage)
	if folder == "" {
		return nil
	}
	_, err = report.Draw(folder, points)
	return err
}
