package okq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Pop takes up to count events from the front of a queue, for the time of the lease: an event that is not acked by
// then goes back to the front. It does not wait: an empty queue gives no events and no error.
// After an error events may have been popped all the same; their leases bring them back.
func (c *Client) Pop(ctx context.Context, queue string, count int, lease time.Duration) ([]Event, error) {
	if queue == "" || count < 1 {
		return nil, fmt.Errorf("pop %d of %q: a pop needs a queue and a count", count, queue)
	}
	caps, err := c.Caps(ctx)
	if err != nil {
		return nil, fmt.Errorf("pop %q: %w", queue, err)
	}
	pop := c.popSingly
	if caps.Count {
		pop = c.popBatch
	}
	events, err := pop(ctx, queue, count, leaseSeconds(lease))
	if err != nil {
		return nil, fmt.Errorf("pop %q: %w", queue, err)
	}
	return events, nil
}

func (c *Client) popBatch(ctx context.Context, queue string, count int, seconds string) ([]Event, error) {
	msg, err := c.do(ctx, "QRPOP", queue, "EX", seconds, "COUNT", strconv.Itoa(count))
	if err != nil {
		return nil, unlessNil(err)
	}
	rows, err := msg.ToArray()
	if err != nil {
		return nil, badReply("QRPOP", err)
	}
	// A server that does not know COUNT after all (we were led to another one) answers a single event.
	if len(rows) > 0 && !rows[0].IsArray() {
		e, err := parseEvent(queue, rows)
		return []Event{e}, err
	}
	events := make([]Event, 0, len(rows))
	for _, row := range rows {
		fields, err := row.ToArray()
		if err != nil {
			return nil, badReply("QRPOP", err)
		}
		e, err := parseEvent(queue, fields)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// popSingly pipelines pops of one. What came is returned even when some of them failed.
func (c *Client) popSingly(ctx context.Context, queue string, count int, seconds string) ([]Event, error) {
	cmds := make([]command, count)
	for i := range cmds {
		cmds[i] = command{name: "QRPOP", queue: queue, args: []string{"EX", seconds}}
	}
	var events []Event
	var failure error
	msgs, errs := c.doAll(ctx, cmds)
	for i, msg := range msgs {
		if errs[i] != nil {
			failure = errors.Join(failure, unlessNil(errs[i]))
			continue
		}
		fields, err := msg.ToArray()
		if err != nil {
			failure = errors.Join(failure, badReply("QRPOP", err))
			continue
		}
		e, err := parseEvent(queue, fields)
		if err != nil {
			failure = errors.Join(failure, err)
			continue
		}
		events = append(events, e)
	}
	if len(events) > 0 {
		return events, nil
	}
	return nil, failure
}

// End is an end of a queue.
type End int

const (
	PeekFront End = iota // the event that the next Pop gets
	PeekBack             // the one that was pushed last
)

// Peek looks at the event at one end of a queue and leaves it there; false when the queue is empty.
func (c *Client) Peek(ctx context.Context, queue string, end End) (Event, bool, error) {
	name := "QRPEEK"
	if end == PeekBack {
		name = "QLPEEK"
	}
	msg, err := c.do(ctx, name, queue)
	if errors.Is(err, errNil) {
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, false, fmt.Errorf("peek %q: %w", queue, err)
	}
	fields, err := msg.ToArray()
	if err != nil {
		return Event{}, false, fmt.Errorf("peek %q: %w", queue, badReply(name, err))
	}
	e, err := parseEvent(queue, fields)
	return e, err == nil, err
}

// parseEvent reads id, contents and, when the server tells, deliveries and the lease's token. What follows is of a later
// version.
func parseEvent(queue string, fields []rueidis.RedisMessage) (Event, error) {
	if len(fields) < 2 {
		return Event{}, badReply("event", fmt.Errorf("%d fields", len(fields)))
	}
	id, err := fields[0].ToString()
	if err != nil {
		return Event{}, badReply("event id", err)
	}
	contents, err := fields[1].AsBytes() // not copied: the reply is ours alone
	if err != nil {
		return Event{}, badReply("event contents", err)
	}
	e := Event{Queue: queue, ID: id, Contents: contents}
	if len(fields) > 2 {
		n, err := fields[2].AsInt64()
		if err != nil {
			return Event{}, badReply("event deliveries", err)
		}
		e.Deliveries = int(n)
	}
	if len(fields) > 3 {
		if e.Lease, err = fields[3].ToString(); err != nil {
			return Event{}, badReply("event lease", err)
		}
	}
	return e, nil
}

func unlessNil(err error) error {
	if errors.Is(err, errNil) {
		return nil
	}
	return err
}

// badReply is an answer of another shape than the protocol's.
func badReply(what string, err error) error {
	return fmt.Errorf("%w: odd reply: %s: %v", ErrUnavailable, what, err)
}
