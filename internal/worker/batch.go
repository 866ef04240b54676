package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// A batch is the mails of one pop on their way. A step hands on those that go further, and has the others finished
// beside it.
type batch struct {
	w *Worker
	// waiting ends when the process is stopped or the queue is paused: who has not begun an attempt by then does not, and
	// is given back.
	waiting context.Context
	// jobs ends --drain-wait later, and cuts off who has.
	jobs context.Context
	wg   sync.WaitGroup

	// look makes one check of the evidence for this round.
	look func()

	mu    sync.Mutex // protects again
	again []*mail    // those that go round again: SendGrid did not take them through no fault of theirs
}

// handleMails sees a batch of mails through. Those that are unfinished when it returns are given back.
func (w *Worker) handleMails(run, jobs context.Context, deliveries []*okq.Delivery) {
	waiting, cancel := context.WithCancelCause(jobs)
	defer cancel(nil)
	for _, end := range []context.Context{run, w.pauses.running(deliveries[0].Queue)} {
		defer context.AfterFunc(end, func() { cancel(context.Cause(end)) })()
	}

	b := &batch{w: w, waiting: waiting, jobs: jobs}
	mails := make([]*mail, len(deliveries))
	for i, d := range deliveries {
		mails[i] = newMail(d)
	}
	hand := grip{high: mails[0].high()}
	defer hand.hold(w.gate, nil)
	hand.hold(w.gate, mails)
	for len(mails) > 0 && w.gate.wait(waiting) == nil {
		mails = b.round(mails)
		hand.hold(w.gate, mails)
		if len(mails) > 0 {
			pause(waiting, 1) // whatever sends them round
		}
	}
}

// grip is what a batch still has in hand, as the gate knows it. IMPORTANT: a mail that is finished counts no more, even
// if others of its batch go round: the gate lets the mail that was refused last be the probe only when nobody else can be.
type grip struct {
	mails, size int
	high        bool
}

// hold tells the gate that these are left.
func (g *grip) hold(gate *gate, left []*mail) {
	now := grip{mails: len(left), high: g.high}
	for _, m := range left {
		now.size += len(m.Contents)
	}
	gate.hold(now.mails-g.mails, now.size-g.size, g.high)
	*g = now
}

// round takes mails as far as they get and returns those that have to go round again. Every round asks for the
// preferences anew, since it may come an hour after the last.
func (b *batch) round(mails []*mail) []*mail {
	b.again = nil
	b.look = sync.OnceFunc(func() { b.w.evidence.look(b.waiting) })
	mails = b.recall(mails)
	mails, suspects := b.split(mails)
	b.send(b.prepare(mails))
	b.wg.Wait()
	for _, m := range suspects {
		b.alone(m)
	}
	return b.again
}

// prepare leaves those that may be sent.
func (b *batch) prepare(mails []*mail) []*mail {
	mails = b.each(mails, b.decode)
	mails = b.each(mails, b.judge) // before due and permit: what SendGrid may have is not settled as never sent
	mails = b.each(mails, b.due)
	return b.permit(mails)
}

// send starts an attempt for each.
func (b *batch) send(mails []*mail) {
	for _, m := range mails {
		b.beside(m, b.deliver)
	}
}

// each keeps the mails for which step returns true. A panic is that mail's failure alone.
func (b *batch) each(mails []*mail, step func(*mail) bool) []*mail {
	kept := mails[:0]
	for _, m := range mails {
		if b.guard(m, step) {
			kept = append(kept, m)
		}
	}
	return kept
}

func (b *batch) guard(m *mail, step func(*mail) bool) bool {
	defer b.recover(m)
	return step(m)
}

// beside does something to a mail without holding up the others.
func (b *batch) beside(m *mail, do func(*mail)) {
	b.wg.Go(func() {
		defer b.recover(m)
		do(m)
	})
}

// recover makes a panic the failure of one mail, which comes again later. Its attempt, if it was in one, is of unknown
// outcome then, and the ledger says so.
func (b *batch) recover(m *mail) {
	p := recover()
	if p == nil {
		return
	}
	b.w.m.jobs.WithLabelValues("panic").Inc()
	b.w.about(m, b.w.log.Error()).Str("panic", fmt.Sprint(p)).Str("stack", string(debug.Stack())).Msg("job panicked")
	b.w.later(b.jobs, m, backoff(m.Deliveries))
}

// repeat sends a mail round again.
func (b *batch) repeat(m *mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.again = append(b.again, m)
}
