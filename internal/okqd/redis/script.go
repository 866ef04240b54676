package redis

import (
	"context"
	"crypto/sha1"
	_ "embed" // script.lua
	"encoding/hex"

	"github.com/redis/rueidis"
)

//go:embed script.lua
var source string

// script calls script.lua by its hash, and sends it to a Redis that does not have it (yet, or any more).
type script struct{ sha string }

func newScript() script {
	sum := sha1.Sum([]byte(source))
	return script{hex.EncodeToString(sum[:])}
}

// call is one run of the script: ops on one queue.
type call struct {
	queue string
	args  []string
}

// exec makes the calls in one pipeline for each Redis. A server without the script refuses all of them, so sending it
// and repeating those that were refused keeps their order.
func (s script) exec(ctx context.Context, c rueidis.Client, calls []call) []rueidis.RedisResult {
	cmds := make(rueidis.Commands, len(calls))
	for i, call := range calls {
		cmds[i] = c.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(parts))).Key(keys(call.queue)...).Arg(call.args...).Build()
	}
	results := c.DoMulti(ctx, cmds...)
	for i, call := range calls {
		if err, ok := rueidis.IsRedisErr(results[i].Error()); ok && err.IsNoScript() {
			eval := c.B().Eval().Script(source).Numkeys(int64(len(parts))).Key(keys(call.queue)...).Arg(call.args...).Build()
			results[i] = c.Do(ctx, eval)
		}
	}
	return results
}
