package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

const (
	firstProbe, lastProbe = time.Second, time.Minute // pauses of a worker whose SendGrid is away (internal/worker/breaker.go)
	urgent                = 0.05                     // share of the mails that go through email-high, which is popped first
)

// printOutage plays SendGrid being away second by second, for several sizes of the fleet, and returns the backlogs over
// the time.
func (m *model) printOutage(rate float64, outage time.Duration) (points []report.Point) {
	fmt.Printf("\nSendGrid is away for %v, while %s mails a second come in:\n\n", outage, thousands(rate))
	fmt.Print("| senders can do | backlog at most | in Redis | drained after | the oldest mail waited | an urgent one, after the end |\n|---|---|---|---|---|---|\n")
	for _, headroom := range []float64{1.1, 1.25, 1.5, 2, 4} {
		r := m.outage(rate, headroom, outage, rand.New(rand.NewPCG(2, uint64(headroom*100))))
		fmt.Printf("| %v x what comes | %s mails | %.1f GiB | %v | %v | %v |\n", headroom, thousands(r.most),
			r.most*m.costs[report.CostRedisBytes]/(1<<30), r.drained, r.oldest, r.urgent)
		for i, backlog := range r.backlog {
			points = append(points, report.Point{Plot: report.PlotOutage, Line: fmt.Sprintf("%v x", headroom), X: float64(i) / 6, Y: backlog / 1e6})
		}
	}
	return points
}

type outageResult struct {
	most            float64
	drained, oldest time.Duration // after the end of the outage; of the mail that waited longest
	urgent          time.Duration
	backlog         []float64 // each ten minutes
}

// outage has mails come at random, and be sent oldest first at headroom times their rate once a probe got through: the
// probes of all workers come at their own times, so the fleet opens one after the other.
func (m *model) outage(rate, headroom float64, outage time.Duration, dice *rand.Rand) (r outageResult) {
	const workers = 100 // of which each is a hundredth of the capacity
	opens := make([]float64, workers)
	for i := range opens {
		opens[i] = outage.Seconds() + probeAfter(outage, dice)
	}
	var normal, high float64
	var arrived, sent float64 // of the normal ones, in their order
	arrivals := []float64{0}  // arrived at each second
	for second := 0.0; ; second++ {
		n := rate + math.Sqrt(rate)*dice.NormFloat64()
		high += n * urgent
		normal += n * (1 - urgent)
		arrived += n * (1 - urgent)
		arrivals = append(arrivals, arrived)
		capacity := 0.0
		for _, at := range opens {
			if second >= at {
				capacity += rate * headroom / workers
			}
		}
		first := min(high, capacity)
		high -= first
		done := min(normal, capacity-first)
		normal -= done
		sent += done
		r.most = max(r.most, normal+high)
		if int(second)%600 == 0 {
			r.backlog = append(r.backlog, normal+high)
		}
		for len(arrivals) > 1 && arrivals[1] < sent { // the mail that is sent now came then
			arrivals = arrivals[1:]
		}
		r.oldest = max(r.oldest, time.Duration(len(arrivals)-1)*time.Second)
		since := time.Duration(second-outage.Seconds()) * time.Second
		if high < 1 && since > 0 && r.urgent == 0 {
			r.urgent = since
		}
		if normal+high < 2*rate && since > 0 {
			r.drained = since
			return r
		}
	}
}

// probeAfter is how many seconds after the end of the outage a worker's next probe goes.
func probeAfter(outage time.Duration, dice *rand.Rand) float64 {
	at, pause := 0.0, firstProbe
	for at < outage.Seconds() {
		at += pause.Seconds() * (0.5 + dice.Float64()/2)
		pause = min(2*pause, lastProbe)
	}
	return at - outage.Seconds()
}
