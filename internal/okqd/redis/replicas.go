package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

var errReplicas = errors.New("too few replicas have the change")

// replicated makes the calls and has Redis wait for replicas. IMPORTANT: WAIT goes with them, since it is about what was
// done on its own connection: on another one, perhaps to another server after a failover, it would promise nothing.
func (s script) replicated(ctx context.Context, calls []call, replicas int, command func(call) rueidis.Completed) []answer {
	cmds := make(rueidis.Commands, len(calls), len(calls)+1)
	for i, c := range calls {
		cmds[i] = command(c)
	}
	cmds = append(cmds, s.client.B().Wait().Numreplicas(int64(replicas)).Timeout(waitTimeout.Milliseconds()).Build())
	sent := time.Now()
	results := s.client.DoMulti(ctx, cmds...)
	lacking := enough(results[len(calls)], replicas)
	answers := make([]answer, len(calls))
	for i, c := range calls {
		a := read(results[i])
		if a.err == nil && c.synced {
			a.results, a.err = a.results[:len(a.results)-1], lacking
		}
		a.sent = sent
		answers[i] = a
	}
	return answers
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
