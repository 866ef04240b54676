package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A fault is one way to go wrong. strike says what it did, and how to mend it.
type fault struct {
	kind   string
	able   func(*row) bool // nil: always
	strike func(*row) (what string, mend func() error, err error)
}

const (
	shortest, longest = time.Second, 8 * time.Second // of a fault
	lull              = 4 * time.Second              // between faults, at most
	twoAtOnce         = 4                            // one time in so many

	// A long fault lasts longer than leases and --evidence-wait. In runs of less than longRun it is shorter than otherwise.
	longEvery                     = 8 // one fault in so many, if there is time
	longRun                       = 15 * time.Minute
	shortestLong, longestLong     = 3 * time.Minute, 10 * time.Minute
	shortestLonger, longestLonger = 20 * time.Second, 40 * time.Second
)

// length draws how long a fault lasts.
func (r *row) length() time.Duration {
	if r.dice.IntN(longEvery) > 0 {
		return r.between(shortest, longest)
	}
	long := r.between(shortestLonger, longestLonger)
	if r.duration >= longRun {
		long = r.between(shortestLong, longestLong)
	}
	return max(shortest, min(long, r.duration-r.watch.now()))
}

// strikeAll has faults strike, each kind once before any comes again, until the time is over.
func (r *row) strikeAll(ctx context.Context) error {
	var deck []fault
	for r.watch.now() < r.duration {
		if len(deck) < 2 {
			deck = r.shuffled()
		}
		n := 1
		if r.dice.IntN(twoAtOnce) == 0 {
			n = 2
		}
		if err := r.strikeOnce(ctx, deck[:n]); err != nil {
			return err
		}
		deck = deck[n:]
		sleep(ctx, r.between(0, lull))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// shuffled are the faults that this row can have, in any order.
func (r *row) shuffled() (deck []fault) {
	for _, f := range faultKinds {
		if f.able == nil || f.able(r) {
			deck = append(deck, f)
		}
	}
	r.dice.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

// strikeOnce lets faults last for a while, mends them, and waits until the system serves again.
func (r *row) strikeOnce(ctx context.Context, faults []fault) error {
	e := event{at: r.watch.now(), lasted: r.length()}
	var whats []string
	var mends []func() error
	for _, f := range faults {
		what, mend, err := f.strike(r)
		if err != nil {
			return fmt.Errorf("%s: %w", f.kind, err)
		}
		e.kinds, whats, mends = append(e.kinds, f.kind), append(whats, what), append(mends, mend)
	}
	e.what = strings.Join(whats, " and ")
	r.say(e.what)
	sleep(ctx, e.lasted)
	for _, mend := range mends {
		if err := mend(); err != nil {
			return fmt.Errorf("mend %s: %w", e.what, err)
		}
	}
	r.say("")
	e.recovery = r.recover(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return ctx.Err()
}

func (r *row) say(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = what
}

func (r *row) between(low, high time.Duration) time.Duration {
	return low + time.Duration(r.dice.Int64N(int64(high-low)))
}
