package redis

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// refreshAfter is how often an okqd says that it uses a queue.
	refreshAfter = time.Minute
	// forgetAfter is how long after its last use a queue without events is off the list.
	forgetAfter = 10 * refreshAfter
	// trustFor is how long what was said holds, so that a Cluster serves on while the list's master is away.
	trustFor = forgetAfter / 2
	// manyNames is when those told long ago are forgotten here.
	manyNames = 10_000
)

// names is the list of queues, which all okqd share. A queue with events is never off it: those that push to it say so
// before they do.
type names struct {
	client   rueidis.Client
	replicas int        // that must have the list
	mu       sync.Mutex // protects the fields below
	told     map[string]time.Time
	tried    time.Time // and failed
}

func newNames(client rueidis.Client) *names {
	return &names{client: client, told: make(map[string]time.Time)}
}

// used says which queues are in use, before they are.
func (n *names) used(ctx context.Context, runs []run) error {
	now := time.Now()
	fresh, must := n.fresh(now, runs)
	if len(fresh) == 0 {
		return nil
	}
	err := n.tell(ctx, now, fresh)
	if err != nil && must {
		err = patiently(ctx, func(ctx context.Context) error { return n.tell(ctx, now, fresh) })
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.tried = now
		if must {
			return fmt.Errorf("redis: list the queue: %w", err)
		}
		return nil
	}
	for _, q := range fresh {
		n.told[q] = now
	}
	if len(n.told) > manyNames {
		maps.DeleteFunc(n.told, func(_ string, at time.Time) bool { return now.Sub(at) > refreshAfter })
	}
	return nil
}

func (n *names) tell(ctx context.Context, now time.Time, queues []string) error {
	add := n.client.B().Zadd().Key(queuesKey).Gt().ScoreMember()
	for _, q := range queues {
		add = add.ScoreMember(float64(now.Unix()), q)
	}
	return write(ctx, n.client, n.replicas, add.Build())
}

// fresh returns the queues that are to be told, and whether they must be.
func (n *names) fresh(now time.Time, runs []run) (fresh []string, must bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	failing := now.Sub(n.tried) < time.Second
	for _, r := range runs {
		age := now.Sub(n.told[r.queue])
		if age <= refreshAfter || failing && age <= trustFor {
			continue
		}
		fresh = append(fresh, r.queue)
		must = must || age > trustFor && r.pushes()
	}
	return fresh, must
}

// all returns the names of all queues that have events or were used lately.
func (n *names) all(ctx context.Context) ([]string, error) {
	var names []string
	err := patiently(ctx, func(ctx context.Context) (err error) {
		names, err = n.client.Do(ctx, n.client.B().Zrange().Key(queuesKey).Min("0").Max("-1").Build()).AsStrSlice()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("redis: list queues: %w", err)
	}
	return names, nil
}

// prune takes a queue that was found empty off the list, if nobody has used it for long.
func (n *names) prune(ctx context.Context, queue string) {
	const removeIfOld = `local s = redis.call('ZSCORE', KEYS[1], ARGV[1])
if s and tonumber(s) < tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`
	old := strconv.FormatInt(time.Now().Add(-forgetAfter).Unix(), 10)
	n.client.Do(ctx, n.client.B().Eval().Script(removeIfOld).Numkeys(1).Key(queuesKey).Arg(queue, old).Build())
}

// pushes tells whether the run may leave an event.
func (r *run) pushes() bool {
	for _, p := range r.parts {
		if p.op.Kind == engine.Push || p.op.Kind == engine.Move {
			return true
		}
	}
	return false
}
