package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

var errReplicas = errors.New("too few replicas have the change")

// replicated makes the calls and has Redis wait for replicas. On a Cluster, each slot's calls go to its master over a
// connection of their own.
func (s script) replicated(ctx context.Context, calls []call, replicas int, command func(call) rueidis.Completed) []answer {
	if s.client.Mode() != rueidis.ClientModeCluster {
		return replicatedBy(ctx, s.client, calls, replicas, command)
	}
	answers := make([]answer, len(calls))
	var wg sync.WaitGroup
	for _, places := range bySlot(calls) {
		some := make([]call, len(places))
		for i, at := range places {
			some[i] = calls[at]
		}
		wg.Go(func() {
			client, release := s.client.Dedicate()
			defer release()
			for i, a := range replicatedBy(ctx, client, some, replicas, command) {
				answers[places[i]] = a
			}
		})
	}
	wg.Wait()
	return answers
}

// write makes a write that so many replicas must have.
func write(ctx context.Context, client rueidis.Client, replicas int, cmd rueidis.Completed) error {
	if replicas == 0 {
		return client.Do(ctx, cmd).Error()
	}
	one, release := client.Dedicate()
	defer release()
	results := one.DoMulti(ctx, cmd, waitFor(one, replicas))
	if err := results[0].Error(); err != nil {
		return err
	}
	return enough(results[1], replicas)
}

func waitFor(client doer, replicas int) rueidis.Completed {
	return client.B().Wait().Numreplicas(int64(replicas)).Timeout(waitTimeout.Milliseconds()).Build()
}

// bySlot returns the places of the calls of each partition, in their order.
func bySlot(calls []call) (groups [][]int) {
	type slot struct {
		queue     string
		partition int
	}
	group := make(map[slot]int)
	for i, c := range calls {
		at, ok := group[slot{c.queue, c.partition}]
		if !ok {
			at = len(groups)
			group[slot{c.queue, c.partition}], groups = at, append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// doer is a connection, or something that sends all commands of a DoMulti over one.
type doer interface {
	B() rueidis.Builder
	DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult
}

// replicatedBy makes the calls over one connection. IMPORTANT: WAIT goes over the same, since it is about what was done
// there: on another one, perhaps to another server after a failover, it would promise nothing.
func replicatedBy(ctx context.Context, client doer, calls []call, replicas int, command func(call) rueidis.Completed) []answer {
	cmds := make(rueidis.Commands, len(calls), len(calls)+1)
	for i, c := range calls {
		cmds[i] = command(c)
	}
	cmds = append(cmds, waitFor(client, replicas))
	sent := time.Now()
	results := client.DoMulti(ctx, cmds...)
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
