package okq

import (
	"context"

	"github.com/redis/rueidis"
)

// command is one okq command; its queue may be "".
type command struct {
	name, queue string
	args        []string
}

func (cmd command) build(b rueidis.Builder) rueidis.Completed {
	built := b.Arbitrary(cmd.name)
	if cmd.queue != "" {
		built = built.Args(cmd.queue)
	}
	return built.Args(cmd.args...).Build()
}

// size is about what the command takes on the wire.
func (cmd command) size() int64 {
	n := 64
	for _, arg := range cmd.args {
		n += len(arg)
	}
	return int64(n)
}

// do sends one command and returns its reply; errNil when that is nil.
func (c *Client) do(ctx context.Context, name, queue string, args ...string) (rueidis.RedisMessage, error) {
	l := c.lane()
	if err := l.reach(ctx); err != nil {
		return rueidis.RedisMessage{}, err
	}
	cmd := command{name: name, queue: queue, args: args}
	defer l.carry(cmd.size())()
	msg, err := l.rc.Do(ctx, cmd.build(l.rc.B())).ToMessage()
	return msg, c.callError(ctx, err)
}

// doAll sends commands in one pipeline and returns a reply or an error for each.
func (c *Client) doAll(ctx context.Context, cmds []command) ([]rueidis.RedisMessage, []error) {
	msgs, errs := make([]rueidis.RedisMessage, len(cmds)), make([]error, len(cmds))
	if len(cmds) == 0 {
		return msgs, errs
	}
	l := c.lane()
	if err := l.reach(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return msgs, errs
	}
	built, size := make([]rueidis.Completed, len(cmds)), int64(0)
	for i, cmd := range cmds {
		built[i] = cmd.build(l.rc.B())
		size += cmd.size()
	}
	defer l.carry(size)()
	for i, res := range l.rc.DoMulti(ctx, built...) {
		msg, err := res.ToMessage()
		msgs[i], errs[i] = msg, c.callError(ctx, err)
	}
	return msgs, errs
}
