package redis

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// refreshAfter is how often an okqd says that it uses a queue.
	refreshAfter = time.Minute
	// forgetAfter is how long after its last use a queue without events is off the list.
	forgetAfter = 10 * refreshAfter
)

// names is the list of queues, which all okqd share. A queue with events is never off it: those that push to it say so
// before they do.
type names struct {
	client rueidis.Client
	mu     sync.Mutex           // protects told
	told   map[string]time.Time // when this okqd last said that it uses the queue
}

func newNames(client rueidis.Client) *names {
	return &names{client: client, told: make(map[string]time.Time)}
}

// used says which queues are in use, before they are. If that fails, so will what follows.
func (n *names) used(ctx context.Context, runs []run) {
	now := time.Now()
	score := float64(now.Unix())
	var fresh []string
	n.mu.Lock()
	for _, r := range runs {
		if now.Sub(n.told[r.queue]) > refreshAfter {
			n.told[r.queue] = now
			fresh = append(fresh, r.queue)
		}
	}
	n.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	add := n.client.B().Zadd().Key(queuesKey).Gt().ScoreMember()
	for _, q := range fresh {
		add = add.ScoreMember(score, q)
	}
	if n.client.Do(ctx, add.Build()).Error() != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, q := range fresh {
			delete(n.told, q)
		}
	}
}

// all returns the names of all queues that have events or were used lately.
func (n *names) all(ctx context.Context) ([]string, error) {
	return n.client.Do(ctx, n.client.B().Zrange().Key(queuesKey).Min("0").Max("-1").Build()).AsStrSlice()
}

// prune takes a queue that was found empty off the list, if nobody has used it for long.
func (n *names) prune(ctx context.Context, queue string) {
	const removeIfOld = `local s = redis.call('ZSCORE', KEYS[1], ARGV[1])
if s and tonumber(s) < tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`
	old := strconv.FormatInt(time.Now().Add(-forgetAfter).Unix(), 10)
	n.client.Do(ctx, n.client.B().Eval().Script(removeIfOld).Numkeys(1).Key(queuesKey).Arg(queue, old).Build())
}
