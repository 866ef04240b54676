package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// result is what one turn did.
type result struct {
	events   int
	took     time.Duration
	p50, p99 time.Duration // of the exchanges
}

func (r result) Rate() float64 { return float64(r.events) / r.took.Seconds() }

// quantiles are the median and the 99th of 100.
func quantiles(latencies []time.Duration) (p50, p99 time.Duration) {
	if len(latencies) == 0 {
		return 0, 0
	}
	slices.Sort(latencies)
	at := func(q float64) time.Duration { return latencies[int(q*float64(len(latencies)-1))] }
	return at(0.5), at(0.99)
}

func (r result) String() string {
	return fmt.Sprintf("%.0f/s\t%v\t%v", r.Rate(), short(r.p50), short(r.p99))
}

func short(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}

// load has all clients do step again and again for a time, or until it does nothing for one of them.
func load[C any](clients []C, d time.Duration, step func(C) (int, error)) (result, error) {
	var (
		mu    sync.Mutex // protects total, each and err
		total result
		each  []time.Duration
		err   error
		stop  atomic.Bool
		wg    sync.WaitGroup
	)
	begin := time.Now()
	for _, c := range clients {
		wg.Go(func() {
			var events int
			var latencies []time.Duration
			var failed error
			for !stop.Load() {
				start := time.Now()
				n, e := step(c)
				events += n
				if failed = e; n == 0 || e != nil {
					break
				}
				latencies = append(latencies, time.Since(start))
				if time.Since(begin) > d {
					break
				}
			}
			stop.Store(true)
			mu.Lock()
			defer mu.Unlock()
			total.events += events
			each = append(each, latencies...)
			err = cmp.Or(err, failed)
		})
	}
	wg.Wait()
	total.took = time.Since(begin)
	total.p50, total.p99 = quantiles(each)
	return total, err
}

// median is the turn in the middle, by rate.
func median(turns []result) result {
	turns = slices.SortedFunc(slices.Values(turns), func(a, b result) int { return cmp.Compare(a.Rate(), b.Rate()) })
	return turns[len(turns)/2]
}

// table prints lines in columns.
type table struct{ *tabwriter.Writer }

func newTable(title string) table {
	fmt.Println()
	t := table{tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)}
	fmt.Fprintln(t, title)
	return t
}

func (t table) line(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, cell)
	}
	fmt.Fprintln(t)
}

// least and most say whether a figure is what it should be.
func least(v, want float64) string { return verdict(v, ">=", want, v >= want) }

func most(v, want float64) string { return verdict(v, "<=", want, v <= want) }

func verdict(v float64, sign string, want float64, ok bool) string {
	word := "ok"
	if !ok {
		word = "SHORT"
	}
	return fmt.Sprintf("%.2f\t%s %v\t%s", v, sign, want, word)
}
