package redis

import (
	"context"
	"crypto/sha1"
	_ "embed" // script.lua
	"encoding/hex"
	"errors"
	"slices"
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
	synced    bool     // replicas must have all that the answer rests on
	to        []string // the keys of another partition, for a move
}

// newCall is a call without ops: it makes ready what is due, and answers how many events are ready.
func newCall(queue string, partition int) call {
	return call{queue: queue, partition: partition, args: []string{wakeChannel, queue}}
}

// sync has the call write something in any case, as its last op. IMPORTANT: since Redis 8, WAIT passes at once when its
// own connection has written nothing: a push answered as a duplicate would be told although no replica has the first one.
func (c *call) sync() { c.args, c.synced = append(c.args, "sync"), true }

// answer is what came of a call.
type answer struct {
	results []rueidis.RedisMessage // of its ops
	left    int64                  // how many events are ready
	err     error
	sent    time.Time
}

// exec makes the calls in one pipeline for each Redis, and again those that Redis has surely not carried out, until
// it does or ctx or failoverWait ends. What is under way when ctx ends is waited for: its outcome is somebody's answer.
// An answer is an error if fewer than replicas have what the calls did.
func (s script) exec(ctx context.Context, calls []call, replicas int) []answer {
	send := func(calls []call) []answer {
		sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitTimeout+replyTimeout) // a master may vanish without a word
		defer cancel()
		return s.send(sending, calls, replicas)
	}
	answers := send(calls)
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
		for i, answer := range send(some) {
			answers[again[i]] = answer
		}
	}
}

// send makes each call once. A server without the script refuses all of them, so sending it and repeating those that
// were refused keeps their order.
func (s script) send(ctx context.Context, calls []call, replicas int) []answer {
	answers := s.pipeline(ctx, calls, replicas, s.evalsha)
	for i := range answers {
		if err, ok := rueidis.IsRedisErr(answers[i].err); ok && err.IsNoScript() {
			answers[i] = s.pipeline(ctx, calls[i:i+1], replicas, s.eval)[0]
		}
	}
	return answers
}

func (s script) evalsha(c call) rueidis.Completed {
	return s.client.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(parts) + len(c.to))).Key(c.keys()...).Arg(c.args...).Build()
}

func (s script) eval(c call) rueidis.Completed {
	return s.client.B().Eval().Script(source).Numkeys(int64(len(parts) + len(c.to))).Key(c.keys()...).Arg(c.args...).Build()
}

// pipeline sends the commands that the calls are made by.
func (s script) pipeline(ctx context.Context, calls []call, replicas int, command func(call) rueidis.Completed) []answer {
	if slices.ContainsFunc(calls, func(c call) bool { return c.synced }) {
		return s.replicated(ctx, calls, replicas, command)
	}
	cmds := make(rueidis.Commands, len(calls))
	for i, c := range calls {
		cmds[i] = command(c)
	}
	sent := time.Now()
	answers := make([]answer, len(calls))
	for i, result := range s.client.DoMulti(ctx, cmds...) {
		answers[i] = read(result)
		answers[i].sent = sent
	}
	return answers
}

var errReply = errors.New("the script's reply is not what it should be")

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
	return answer{results: results[:last], left: left, err: err}
}

func (c call) keys() []string { return append(keys(c.queue, c.partition), c.to...) }
