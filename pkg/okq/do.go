package okq

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// command is one okq command. Those that name a queue are spread over the connections.
type command struct {
	name, queue string
	args        []string
}

func (c *Client) build(cmd command) rueidis.Completed {
	b := c.rc.B().Arbitrary(cmd.name)
	if cmd.queue != "" {
		b = b.Keys(cmd.queue)
	}
	return b.Args(cmd.args...).Build()
}

// do sends one command and returns its reply; errNil when that is nil.
func (c *Client) do(ctx context.Context, name, queue string, args ...string) (rueidis.RedisMessage, error) {
	if err := c.reach(ctx); err != nil {
		return rueidis.RedisMessage{}, err
	}
	cmd := command{name: name, queue: queue, args: args}
	for attempt := 0; ; attempt++ {
		res := c.rc.Do(ctx, c.build(cmd))
		if attempt == 0 && strangersEnd(ctx, res.NonRedisError()) {
			continue
		}
		c.noteRefusal(res.NonRedisError())
		msg, err := res.ToMessage()
		return msg, c.callError(ctx, err)
	}
}

// doAll sends commands in one pipeline and returns a reply or an error for each.
func (c *Client) doAll(ctx context.Context, cmds []command) ([]rueidis.RedisMessage, []error) {
	msgs, errs := make([]rueidis.RedisMessage, len(cmds)), make([]error, len(cmds))
	if len(cmds) == 0 {
		return msgs, errs
	}
	if err := c.reach(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return msgs, errs
	}
	built := make([]rueidis.Completed, len(cmds))
	for attempt := 0; ; attempt++ {
		for i, cmd := range cmds {
			built[i] = c.build(cmd)
		}
		results := c.rc.DoMulti(ctx, built...)
		if attempt == 0 && strangersEnd(ctx, results[0].NonRedisError()) {
			continue
		}
		c.noteRefusal(results[0].NonRedisError())
		for i, res := range results {
			msg, err := res.ToMessage()
			msgs[i], errs[i] = msg, c.callError(ctx, err)
		}
		return msgs, errs
	}
}

// strangersEnd reports a context's error that is not ours: another caller was connecting for us when its context ended.
// Nothing of ours was sent.
func strangersEnd(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}
