package okq

import (
	"context"
	"errors"
	"time"
)

// attendEvery is how often a connection that Attend keeps open is found to work.
const attendEvery = 5 * time.Second

// Attend counts as a consumer of mark's queue until ctx ends and pops nothing. It pushes mark first. So others learn
// from QSTATUS whether processes of a kind have ever run here (the event is there) and run now (there are consumers).
func (c *Client) Attend(ctx context.Context, mark Event) {
	conn := &bell{client: c, queues: []string{mark.Queue}}
	defer conn.close()
	marked := false
	for failures := 0; ctx.Err() == nil; {
		if !marked {
			err := c.Push(ctx, mark)
			marked = err == nil || errors.Is(err, ErrDuplicate)
		}
		if err := conn.ping(ctx); err != nil || !marked {
			failures++
			pause(ctx, failures)
			continue
		}
		failures = 0
		sleep(ctx, attendEvery)
	}
}
