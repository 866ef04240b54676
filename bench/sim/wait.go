package main

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	simulated = 200_000 // mails of each row
	spread    = 0.8     // of the logarithm of SendGrid's latency: its p99 is some 5 times its median
)

// printWaits plays one pm-worker event by event: mails come at random, SendGrid's latency varies, and each mail takes
// the place that is free first.
func (m *model) printWaits() {
	fmt.Printf("\nHow long a mail waits for a place in one pm-worker (%v in flight, SendGrid's latency log-normal with mean %v):\n\n", m.inFlight, m.latency)
	fmt.Print("| used to | mails/s | waits, median | p99 | p99.9 |\n|---|---|---|---|---|\n")
	for _, load := range []float64{0.6, 0.8, 0.9, 0.95, 0.99} {
		rate := load * m.inFlight / m.latency.Seconds()
		waits := m.play(rate, rand.New(rand.NewPCG(1, uint64(load*1000))))
		at := func(q float64) time.Duration {
			return time.Duration(waits[int(q*float64(len(waits)-1))] * float64(time.Second)).Round(100 * time.Microsecond)
		}
		fmt.Printf("| %.0f %% | %s | %v | %v | %v |\n", load*100, thousands(rate), at(.5), at(.99), at(.999))
	}
}

// play returns how many seconds each mail waited, sorted.
func (m *model) play(rate float64, dice *rand.Rand) []float64 {
	free := make(places, int(m.inFlight)) // when each place is free
	mean := m.latency.Seconds()
	median := mean / math.Exp(spread*spread/2)
	waits := make([]float64, simulated)
	now := 0.0
	for i := range waits {
		now += dice.ExpFloat64() / rate
		start := max(now, free[0])
		waits[i] = start - now
		free[0] = start + median*math.Exp(spread*dice.NormFloat64())
		heap.Fix(&free, 0)
	}
	slices.Sort(waits)
	return waits
}

// places is a heap of times.
type places []float64

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i] < p[j] }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *places) Push(x any)        { *p = append(*p, x.(float64)) }
func (p *places) Pop() any          { x := (*p)[len(*p)-1]; *p = (*p)[:len(*p)-1]; return x }
