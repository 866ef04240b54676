package okq

import (
	"context"
	"fmt"
	"iter"
	"strconv"
)

// scanPage is how many ids one command asks for.
const scanPage = 500

// Scan tells the IDs of a queue's events, ready, delayed and leased, and leaves them all in place. Each event that stays
// as it is meanwhile is told once. One that becomes ready, delayed or leased may be told twice, or not at all. An error
// ends it. ErrNoScan: the server cannot.
func (c *Client) Scan(ctx context.Context, queue string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		caps, err := c.Caps(ctx)
		if err == nil && !caps.Scan {
			err = ErrNoScan
		}
		if err != nil {
			yield("", fmt.Errorf("scan %q: %w", queue, err))
			return
		}
		for cursor := "0"; ; {
			ids, next, err := c.scan(ctx, queue, cursor)
			if err != nil {
				yield("", fmt.Errorf("scan %q: %w", queue, err))
				return
			}
			for _, id := range ids {
				if !yield(id, nil) {
					return
				}
			}
			if cursor = next; cursor == "0" {
				return
			}
		}
	}
}

func (c *Client) scan(ctx context.Context, queue, cursor string) (ids []string, next string, err error) {
	msg, err := c.do(ctx, "QSCAN", queue, cursor, "COUNT", strconv.Itoa(scanPage))
	if err != nil {
		return nil, "", err
	}
	pair, err := msg.ToArray()
	if err != nil || len(pair) != 2 {
		return nil, "", badReply("QSCAN", fmt.Errorf("%d fields, %v", len(pair), err))
	}
	if next, err = pair[0].ToString(); err != nil {
		return nil, "", badReply("QSCAN", err)
	}
	if ids, err = pair[1].AsStrSlice(); err != nil {
		return nil, "", badReply("QSCAN", err)
	}
	return ids, next, nil
}
