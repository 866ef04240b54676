package okq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// The states of an event that is not gone.
const (
	StateReady   = "ready"
	StateLeased  = "leased"
	StateDelayed = "delayed"
)

// Found is an event where it stands in its queue.
type Found struct {
	Event
	State string
	Due   time.Duration // until the lease or the delay ends
}

// Find looks for an event and leaves it as it is; false when it is not in the queue. The original okq cannot: ErrNoFind.
func (c *Client) Find(ctx context.Context, queue, id string) (Found, bool, error) {
	caps, err := c.Caps(ctx)
	if err != nil {
		return Found{}, false, err
	}
	if !caps.Find {
		return Found{}, false, ErrNoFind
	}
	msg, err := c.do(ctx, "QPEEK", queue, id)
	if errors.Is(err, errNil) {
		return Found{}, false, nil
	}
	if err != nil {
		return Found{}, false, fmt.Errorf("look for event %q in %q: %w", id, queue, err)
	}
	found := Found{Event: Event{Queue: queue, ID: id}}
	if err := found.parse(msg); err != nil {
		return Found{}, false, badReply("QPEEK", err)
	}
	return found, true, nil
}

// parse reads state, contents, deliveries and milliseconds.
func (f *Found) parse(msg rueidis.RedisMessage) error {
	fields, err := msg.ToArray()
	if err != nil {
		return err
	}
	if len(fields) < 4 {
		return fmt.Errorf("%d fields", len(fields))
	}
	deliveries, err := fields[2].AsInt64()
	if err != nil {
		return err
	}
	due, err := fields[3].AsInt64()
	if err != nil {
		return err
	}
	f.Deliveries, f.Due = int(deliveries), time.Duration(due)*time.Millisecond
	if f.Contents, err = fields[1].AsBytes(); err != nil {
		return err
	}
	f.State, err = fields[0].ToString()
	return err
}
