package main

import (
	"context"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A recovery is how long it took after a fault was mended until an urgent mail got from a call of Enqueue to SendGrid.
type recovery struct {
	took time.Duration
	ok   bool
}

const (
	// recoveryLimit is longer than the pause between two trials of a circuit breaker that has been open for minutes.
	recoveryLimit = 6 * time.Minute
	probeTimeout  = time.Second
	probeEvery    = 50 * time.Millisecond
)

func (r *row) recover(ctx context.Context) recovery {
	begin := r.watch.now()
	e := &job.Email{
		To: fmt.Sprintf("alex+probe%d@example.com", len(r.events)), From: "shop@example.org", Subject: "Probe", Text: "Is it well?",
		UniqueID: fmt.Sprintf("probe-%d", len(r.events)), IdempotencyKey: fmt.Sprintf("probe-%d", len(r.events)), Priority: job.PriorityHigh,
	}
	var id job.ID
	for at := 0; r.watch.now()-begin < recoveryLimit && ctx.Err() == nil; sleep(ctx, probeEvery) {
		if id == "" {
			api := r.sys.callers.apis[at%len(r.sys.callers.apis)]
			at++
			calling, cancel := context.WithTimeout(ctx, probeTimeout)
			if got, err := api.Enqueue(calling, e); err == nil {
				id = got
				r.sys.ledger.acknowledge(id, mail{uniqueID: e.UniqueID, keyed: true})
			}
			cancel()
			continue
		}
		if n, err := r.sys.sendgrid.accepted(string(id)); err == nil && n > 0 {
			return recovery{r.watch.now() - begin, true}
		}
	}
	return recovery{r.watch.now() - begin, false}
}
