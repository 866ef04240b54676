package worker

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// lookAgain is how soon a mail is looked at again that waits for events to be folded.
const lookAgain = 2 * time.Second

// foldLag bounds how long an event that pm-hooks has queued may still take to be folded. It may hold the evidence that
// a doubtful mail waits for: behind others that are as old as the oldest, or in the hand of a folder that died, until
// its lease ends. When okq cannot tell, only the latter is allowed for.
func (b *batch) foldLag() time.Duration {
	ctx, cancel := context.WithTimeout(b.waiting, storeTimeout)
	defer cancel()
	queues, err := b.w.deps.Queue.Status(ctx, job.QueueStats)
	if err != nil || len(queues) == 0 {
		return b.w.cfg.Lease
	}
	if q := queues[0]; q.Total > q.Delayed {
		return b.w.cfg.Lease + q.OldestAge
	}
	return 0
}
