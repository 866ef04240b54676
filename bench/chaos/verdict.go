package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A verdict is what came of a row.
type verdict struct {
	row      *row
	drained  drained
	ledger   *ledger
	accepted map[string]acceptance  // by SendGrid
	dead     map[string]string      // email → reason
	did      operated               // by the operators
	events   map[string][]job.Event // that SendGrid was told 200 for

	sent, lost, heldUnsent      int
	explained, unexplained      int // accepted more than once
	keysTwice                   int // keys with more than one mail sent
	optedOut, dropped           int // emails that SendGrid does not have, rightly
	late, unjudged              int // emails to recipients that had opted out; of those: during faults that delay what was begun
	unfolded, told, posts, fell int
	ends, panics                int
}

// judge compares what each side knows.
func (r *row) judge(ctx context.Context, d drained) (*verdict, error) {
	v := &verdict{row: r, drained: d, did: r.operators.result(), ledger: r.sys.ledger.snapshot(), events: r.sys.relay.events(), dead: map[string]string{}}
	var err error
	if v.accepted, err = r.sys.sendgrid.allAccepted(ctx); err != nil {
		return nil, err
	}
	if err := v.readDead(ctx); err != nil {
		return nil, err
	}
	v.countMails()
	if err := v.countEvents(ctx); err != nil {
		return nil, err
	}
	for _, p := range r.victims() {
		ends, panics := p.endings()
		v.ends += ends
		v.panics += len(panics)
		for _, text := range panics {
			fmt.Printf("%s: %s\n", p.name, text)
		}
	}
	return v, nil
}

func (v *verdict) readDead(ctx context.Context) error {
	for {
		letters, err := v.row.sys.okq.Pop(ctx, job.QueueEmailDead, 500, time.Hour)
		if err != nil || len(letters) == 0 {
			return err
		}
		for _, l := range letters {
			letter, err := job.DecodeDeadLetter(l.Contents)
			if err != nil {
				return fmt.Errorf("dead letter %q: %w", l.ID, err)
			}
			id, _, _ := strings.Cut(letter.ID, ".")
			v.dead[id] = letter.Reason
		}
	}
}

// countMails: a mail may die of nothing but an unknown outcome that its caller wanted held (or any with --max-attempts 1),
// and be sent twice only if a worker said that it sends it again without knowing, of a mail that its caller did not want
// held, or if an operator requeued its dead letter.
func (v *verdict) countMails() {
	keys := map[string]int{}
	for id, m := range v.ledger.acked {
		switch n := v.accepted[id].count; {
		case n > 0:
			v.sent++
		case (m.hold || v.row.maxAttempts == 1) && v.dead[id] == job.ReasonUnknown:
			v.heldUnsent++
		case v.did.dropped[id]:
			v.dropped++
		case !v.did.optOutOf(m.to).IsZero():
			v.optedOut++
		default:
			v.lost++
			fmt.Printf("lost: %s (%s), dead letter: %q\n", id, m.uniqueID, v.dead[id])
		}
		if m.keyed {
			keys[m.uniqueID]++
		}
	}
	for id, a := range v.accepted {
		v.countLate(v.ledger.acked[id].to, a.last)
		knowingly := v.did.requeued[id]
		if !v.ledger.acked[id].hold {
			knowingly += v.ledger.resent[id]
		}
		switch n := a.count; {
		case n < 2:
		case n-1 <= knowingly:
			v.explained++
		default:
			v.unexplained++
			fmt.Printf("accepted %d times: %s, sent again knowingly %d times, requeued %d times\n", n, id, v.ledger.resent[id], v.did.requeued[id])
		}
	}
	for _, n := range keys {
		if n > 1 {
			v.keysTwice++
		}
	}
}

// optOutGrace is the time after an opt-out in which an attempt may still begin, and the time that an attempt may take.
const optOutGrace = 2*time.Second + sendTimeout

// countLate counts an email that SendGrid accepted after its recipient had opted out.
func (v *verdict) countLate(to string, accepted time.Time) {
	optedOut := v.did.optOutOf(to)
	if optedOut.IsZero() || accepted.Sub(optedOut) < optOutGrace {
		return
	}
	if v.row.delayed(accepted) {
		v.unjudged++
		return
	}
	v.late++
	fmt.Printf("sent %v after the opt-out of %s\n", accepted.Sub(optedOut).Round(time.Millisecond), to)
}

// countEvents looks for the trace of each event in its mail's record.
func (v *verdict) countEvents(ctx context.Context) error {
	stores, err := store.Open(ctx, store.Config{MongoAddr: v.row.sys.mongoURI}, zerolog.Nop())
	if err != nil {
		return err
	}
	defer stores.Close()
	var ids []job.ID
	for id := range v.events {
		ids = append(ids, job.ID(id))
	}
	for some := range slices.Chunk(ids, 500) {
		records, err := stores.Stats.Lookup(ctx, some)
		if err != nil {
			return err
		}
		for _, id := range some {
			for _, e := range v.events[string(id)] {
				v.told++
				if !folded(records[id], e) {
					v.unfolded++
					fmt.Printf("not folded: %s of %s\n", e.Type, id)
				}
			}
		}
	}
	v.posts, v.fell, _ = v.row.sys.relay.counts()
	return nil
}

func folded(rec *stats.Record, e job.Event) bool {
	if rec == nil {
		return false
	}
	kind := e.Type
	if e.Machine {
		kind = "machine_open"
	}
	_, ok := rec.Evidence[kind]
	return ok
}
