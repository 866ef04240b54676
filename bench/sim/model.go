package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

// A part is one kind of process, and what a mail costs it.
type part struct {
	name  string
	cost  float64 // microseconds of a core a mail, with all its events
	cores float64 // that one of them can use
	most  float64 // mails a second that one can do for another reason; 0: none
	why   string  // that reason
}

// limit is the mails a second that one of them is planned for.
func (p part) limit(load float64) float64 {
	limit := load * p.cores * 1e6 / p.cost
	if p.most > 0 {
		limit = min(limit, p.most)
	}
	return limit
}

func (p part) count(rate, load float64) int { return int(math.Ceil(rate / p.limit(load))) }

// A model is all parts.
type model struct {
	setting
	costs map[string]float64
	parts []part
}

func newModel(costs map[string]float64, s setting) (*model, error) {
	var missing []string
	cost := func(of string) float64 {
		v, ok := costs[of]
		if !ok {
			missing = append(missing, of)
		}
		return v
	}
	posts := s.events / s.perPost // okq events of the webhook, a mail
	m := &model{setting: s, costs: costs, parts: []part{
		{name: "pm-api", cost: cost(report.CostAPI), cores: 1},
		{name: "okqd on Redis", cost: cost(report.CostOkqdRedis) * (1 + posts), cores: 1},
		{name: "Redis shard", cost: cost(report.CostRedis) * (1 + posts), cores: 1},
		{name: "pm-worker, sending", cost: cost(report.CostWorker), cores: 1, most: s.load * s.inFlight / s.latency.Seconds(), why: "mails in flight"},
		{name: "pm-hooks", cost: cost(report.CostHooks) * s.events, cores: 1},
		{name: "pm-worker, folding", cost: cost(report.CostFold) * s.events, cores: 1},
		{name: "database shard", cost: cost(report.CostDatabase) + cost(report.CostDatabaseFold)*s.events, cores: s.databaseCores},
	}}
	cost(report.CostRedisBytes)
	if missing != nil {
		return nil, fmt.Errorf("the costs lack %s", strings.Join(missing, ", "))
	}
	return m, nil
}

// printSizes prints how many of each there have to be.
func (m *model) printSizes(rates []float64) {
	fmt.Printf("SendGrid answers after %v, %v events a mail, %v events a POST, each core used to %.0f %%.\n\n", m.latency, m.events, m.perPost, m.load*100)
	fmt.Print("| part | cost a mail | one is enough for |")
	for _, r := range rates {
		fmt.Printf(" %s mails/s |", thousands(r))
	}
	fmt.Print("\n|---|---|---|" + strings.Repeat("---|", len(rates)) + "\n")
	first := m.parts[0]
	for _, p := range m.parts {
		if p.limit(m.load) < first.limit(m.load) {
			first = p
		}
		limit := thousands(math.Floor(p.limit(m.load)/100)*100) + " mails/s"
		if p.most > 0 && p.most <= p.limit(m.load) {
			limit += " (" + p.why + ")"
		}
		fmt.Printf("| %s | %.1f µs | %s |", p.name, p.cost, limit)
		for _, r := range rates {
			fmt.Printf(" %d |", p.count(r, m.load))
		}
		fmt.Println()
	}
	fmt.Printf("\nWith one of each, the first limit is **%s**, at %s mails/s.\n", first.name, thousands(math.Floor(first.limit(m.load)/100)*100))
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
