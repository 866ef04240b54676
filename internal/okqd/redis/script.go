package redis

import (
	"context"
	"crypto/sha1"
	_ "embed" // script.lua
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

//go:embed script.lua
var source string

// script calls script.lua by its hash, and sends it to a Redis that does not have it (yet, or any more).
type script struct {
	client rueidis.Client
	sha    string
}

func newScript(client rueidis.Client) script {
	sum := sha1.Sum([]byte(source))
	return script{client, hex.EncodeToString(sum[:])}
}

// call is one run of the script: ops on one partition of a queue.
type call struct {
	queue     string
	partition int
	args      []string
}

// newCall is a call without ops: it makes ready what is due, and answers how many events are ready.
func newCall(queue string, partition int) call {
	return call{queue, partition, []string{wakeChannel, queue}}
}

// answer is what came of a call.
type answer struct {
	results []rueidis.RedisMessage // of its ops
	left    int64                  // how many events are ready
	err     error
}

// exec makes the calls in one pipeline for each Redis, and again those that Redis has surely not carried out, until
// it does or ctx or failoverWait ends. What is under way when ctx ends is waited for: its outcome is somebody's answer.
// An answer is an error if fewer than replicas have what the calls did.
func (s script) exec(ctx context.Context, calls []call, replicas int) []answer {
	sending := context.WithoutCancel(ctx)
	answers := s.send(sending, calls, replicas)
	for giveUp := time.Now().Add(failoverWait); ; {
		var again []int
		var some []call
		for i := range calls {
			if notDone(answers[i].err) {
				again, some = append(again, i), append(some, calls[i])
			}
		}
		if len(again) == 0 || time.Now().After(giveUp) || !sleep(ctx, retryEvery) {
			return answers
		}
		for i, answer := range s.send(sending, some, replicas) {
			answers[again[i]] = answer
		}
	}
}

// send makes each call once. A server without the script refuses all of them, so sending it and repeating those that
// were refused keeps their order.
func (s script) send(ctx context.Context, calls []call, replicas int) []answer {
	answers := s.pipeline(ctx, calls, replicas, func(c call) rueidis.Completed {
		return s.client.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(parts))).Key(c.keys()...).Arg(c.args...).Build()
	})
	for i := range answers {
		if err, ok := rueidis.IsRedisErr(answers[i].err); ok && err.IsNoScript() {
			answers[i] = s.pipeline(ctx, calls[i:i+1], replicas, func(c call) rueidis.Completed {
				return s.client.B().Eval().Script(source).Numkeys(int64(len(parts))).Key(c.keys()...).Arg(c.args...).Build()
			})[0]
		}
	}
	return answers
}

// pipeline sends the commands that the calls are made by. IMPORTANT: WAIT goes with them, since it is about what was
// done on its own connection: on another one, perhaps to another server after a failover, it would promise nothing.
func (s script) pipeline(ctx context.Context, calls []call, replicas int, command func(call) rueidis.Completed) []answer {
	cmds := make(rueidis.Commands, len(calls), len(calls)+1)
	for i, c := range calls {
		cmds[i] = command(c)
	}
	if replicas > 0 {
		cmds = append(cmds, s.client.B().Wait().Numreplicas(int64(replicas)).Timeout(waitTimeout.Milliseconds()).Build())
	}
	results := s.client.DoMulti(ctx, cmds...)
	var replicated error
	if replicas > 0 {
		replicated = enough(results[len(calls)], replicas)
	}
	answers := make([]answer, len(calls))
	for i := range calls {
		answers[i] = read(results[i])
		if answers[i].err == nil && replicated != nil {
			answers[i] = answer{err: replicated}
		}
	}
	return answers
}

var (
	errReply    = errors.New("the script's reply is not what it should be")
	errReplicas = errors.New("too few replicas have the change")
)

// read reads a reply of the script.
func read(reply rueidis.RedisResult) answer {
	results, err := reply.ToArray()
	if err == nil && len(results) == 0 {
		err = errReply
	}
	if err != nil {
		return answer{err: err}
	}
	last := len(results) - 1
	left, err := results[last].AsInt64()
	return answer{results[:last], left, err}
}

// enough reads a reply of WAIT. Whatever its fault, the calls before it were carried out.
func enough(reply rueidis.RedisResult, replicas int) error {
	n, err := reply.AsInt64()
	if err != nil {
		return fmt.Errorf("%w: wait: %s", errReplicas, err)
	}
	if n < int64(replicas) {
		return fmt.Errorf("%w: %d of %d", errReplicas, n, replicas)
	}
	return nil
}

func (c call) keys() []string { return keys(c.queue, c.partition) }
