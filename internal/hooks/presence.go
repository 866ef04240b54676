package hooks

import (
	"context"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// suspension is how long pm-hooks counts as absent after okq took no events: what SendGrid is refused it retries later.
const suspension = 10 * time.Second

// presence lets pm-workers know that webhook events can arrive. pm-hooks is registered as a consumer of job.QueueHooks
// while it runs and okq takes its events. Workers do not decide about unknown outcomes while nobody is.
type presence struct {
	mu     sync.Mutex // protects cancel
	cancel context.CancelFunc
}

// run keeps pm-hooks registered until ctx ends.
func (p *presence) run(ctx context.Context, pusher Pusher) {
	for ctx.Err() == nil {
		attending, cancel := context.WithCancel(ctx)
		p.mu.Lock()
		p.cancel = cancel
		p.mu.Unlock()
		pusher.Attend(attending, okq.Event{Queue: job.QueueHooks, ID: job.HooksID, Contents: []byte("{}")})
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(suspension):
		}
	}
}

// suspend ends the registration for a while, if there is one.
func (p *presence) suspend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}
