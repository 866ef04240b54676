package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// leaseSlack is added to every lease, for the time until the consumer knows of it. More is added while Redis or the
	// replicas waited for are slower, but no more than maxSlack at first: an event whose consumer died is late by that.
	leaseSlack = 100 * time.Millisecond
	maxSlack   = time.Second
)

// slack remembers how long the last leases took until they were told.
type slack struct{ took atomic.Int64 }

func (s *slack) next() time.Duration {
	return min(max(2*time.Duration(s.took.Load()), leaseSlack), maxSlack)
}

// leases are those that one Exec tells of. IMPORTANT: a lease is never shorter than asked, counted from the answer.
type leases []*leased

// leased is an op that began leases: a pop, or a touch.
type leased struct {
	op        *engine.Op
	partition int
	sent      time.Time // when Redis was asked for it
	slack     time.Duration
}

// add notes the leases that a run began.
func (l *leases) add(r *run, sent time.Time) {
	for _, p := range r.parts {
		if began(p.op) {
			*l = append(*l, &leased{p.op, r.partition, sent, p.slack})
		}
	}
}

func began(op *engine.Op) bool {
	return op.Err == nil && op.Lease > 0 && (op.Kind == engine.Pop && len(op.Events) > 0 || op.Kind == engine.Touch && op.OK)
}

// late returns the leases that would end too early if they were told now, and how old the oldest is.
func (l leases) late() (late leases, oldest time.Duration) {
	for _, one := range l {
		age := time.Since(one.sent)
		oldest = max(oldest, age)
		if age > one.slack && began(one.op) {
			late = append(late, one)
		}
	}
	return late, oldest
}

// renew begins leases again until all of them are as long as asked: when Redis or its replicas answer late, or a
// failover was waited for. It ends because each round allows for twice the time that the last one took.
func (e *Engine) renew(ctx context.Context, all leases) {
	if len(all) == 0 {
		return
	}
	late, took := all.late()
	e.slack.took.Store(int64(took))
	for len(late) > 0 {
		e.renewLate(ctx, late, 2*took)
		late, took = all.late()
	}
}

func (e *Engine) renewLate(ctx context.Context, late leases, slack time.Duration) {
	var renewals []renewal
	for _, one := range late {
		if time.Since(one.sent) < one.op.Lease { // else somebody else may have it
			renewals = append(renewals, one.renewal())
			continue
		}
		one.op.OK, one.op.Events = false, nil
	}
	p := plan{e: e, slack: slack}
	for i := range renewals {
		for j := range renewals[i].touches {
			p.to(string(renewals[i].op.Queue), renewals[i].partition, part{op: &renewals[i].touches[j]})
		}
	}
	var again leases
	e.execRuns(ctx, p.runs, &again)
	for _, r := range renewals {
		r.settle(again, slack)
	}
}

// renewal is a late lease and what begins it again.
type renewal struct {
	*leased
	touches []engine.Op
}

func (one *leased) renewal() renewal {
	touch := func(id, token []byte) engine.Op {
		return engine.Op{Kind: engine.Touch, Queue: one.op.Queue, ID: id, Token: token, Lease: one.op.Lease}
	}
	r := renewal{leased: one}
	if one.op.Kind == engine.Touch {
		r.touches = append(r.touches, touch(one.op.ID, one.op.Token))
	}
	for _, ev := range one.op.Events {
		r.touches = append(r.touches, touch(ev.ID, []byte(ev.Token)))
	}
	return r
}

// settle takes off the op what is not leased any more.
func (r renewal) settle(again leases, slack time.Duration) {
	r.sent, r.slack = time.Now(), slack
	for _, one := range again {
		if one.sent.Before(r.sent) {
			r.sent = one.sent
		}
	}
	kept := r.op.Events[:0]
	for i, t := range r.touches {
		switch {
		case t.Err != nil:
			r.op.Result = engine.Result{Err: t.Err}
			return
		case r.op.Kind == engine.Touch:
			r.op.OK = t.OK
		case t.OK:
			kept = append(kept, r.op.Events[i])
		}
	}
	r.op.Events = kept
}
