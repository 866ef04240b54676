package okq

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// QueueStatus is how a queue stands.
type QueueStatus struct {
	Queue      string
	Total      int // all events, the leased and the delayed ones too
	Processing int // leased
	Consumers  int // that are registered for it
	// The original okq does not tell these.
	Delayed   int           // not visible yet
	OldestAge time.Duration // how long the oldest of the ready ones has been there
}

// Status returns how queues stand, in the order asked for; without names, all queues by name.
func (c *Client) Status(ctx context.Context, queues ...string) ([]QueueStatus, error) {
	msg, err := c.do(ctx, "QSTATUS", "", queues...)
	if err != nil {
		return nil, fmt.Errorf("queue status: %w", err)
	}
	rows, err := msg.ToArray()
	if err != nil {
		return nil, fmt.Errorf("queue status: %w", badReply("QSTATUS", err))
	}
	all := make([]QueueStatus, 0, len(rows))
	for _, row := range rows {
		s, err := parseStatus(row)
		if err != nil {
			return nil, fmt.Errorf("queue status: %w", err)
		}
		all = append(all, s)
	}
	return all, nil
}

// parseStatus reads name, total, processing, consumers and as many of the newer numbers as there are.
func parseStatus(row rueidis.RedisMessage) (QueueStatus, error) {
	fields, err := row.ToArray()
	if err != nil || len(fields) < 4 {
		return QueueStatus{}, badReply("QSTATUS", fmt.Errorf("%d fields, %v", len(fields), err))
	}
	name, err := fields[0].ToString()
	if err != nil {
		return QueueStatus{}, badReply("QSTATUS", err)
	}
	var numbers [5]int64
	for i := range min(len(fields)-1, len(numbers)) {
		if numbers[i], err = fields[i+1].AsInt64(); err != nil {
			return QueueStatus{}, badReply("QSTATUS", err)
		}
	}
	return QueueStatus{
		Queue: name, Total: int(numbers[0]), Processing: int(numbers[1]), Consumers: int(numbers[2]),
		Delayed: int(numbers[3]), OldestAge: time.Duration(numbers[4]) * time.Millisecond,
	}, nil
}

// Flush empties a queue: waiting, leased and delayed events.
func (c *Client) Flush(ctx context.Context, queue string) error {
	if _, err := c.do(ctx, "QFLUSH", queue); err != nil {
		return fmt.Errorf("flush %q: %w", queue, err)
	}
	return nil
}
