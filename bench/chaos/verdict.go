package main

import (
	"context"
	"fmt"
	"slices"
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
	accepted map[string]int         // by SendGrid: mail → how often
	dead     map[string]string      // mail → reason
	events   map[string][]job.Event // that SendGrid was told 200 for

	sent, lost, heldUnsent      int
	explained, unexplained      int // accepted more than once
	keysTwice                   int // keys with more than one mail sent
	unfolded, told, posts, fell int
	ends, panics                int
}

// judge compares what each side knows.
func (r *row) judge(ctx context.Context, d drained) (*verdict, error) {
	v := &verdict{row: r, drained: d, ledger: r.sys.ledger.snapshot(), events: r.sys.relay.events(), dead: map[string]string{}}
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
			v.dead[letter.ID] = letter.Reason
		}
	}
}

// countMails: a mail may die of nothing but an unknown outcome that its caller wanted held, and be sent twice only if a
// worker said that it sends it again without knowing, of a mail that its caller did not want held.
func (v *verdict) countMails() {
	keys := map[string]int{}
	for id, m := range v.ledger.acked {
		n := v.accepted[id]
		switch {
		case n > 0:
			v.sent++
		case m.hold && v.dead[id] == job.ReasonUnknown:
			v.heldUnsent++
		default:
			v.lost++
			fmt.Printf("lost: %s (%s), dead letter: %q\n", id, m.uniqueID, v.dead[id])
		}
		if m.keyed {
			keys[m.uniqueID]++
		}
	}
	for id, n := range v.accepted {
		switch {
		case n < 2:
		case n-1 <= v.ledger.resent[id] && !v.ledger.acked[id].hold:
			v.explained++
		default:
			v.unexplained++
			fmt.Printf("accepted %d times: %s, sent again knowingly %d times\n", n, id, v.ledger.resent[id])
		}
	}
	for _, n := range keys {
		if n > 1 {
			v.keysTwice++
		}
	}
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
