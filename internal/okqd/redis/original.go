package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// original is a queue as the original okq (2014-17) keeps it: a list of ids whose right end is popped next, a list of
// those that were popped, a hash of contents, and for each popped event a lock that expires with its lease.
type original struct {
	client rueidis.Client
	queue  string
}

const originalPrefix = "queue:{"

func (o original) key(part string) string {
	if part == "" {
		return originalPrefix + o.queue + "}"
	}
	return originalPrefix + o.queue + "}:" + part
}

// Its keys, and two of the migration's own in the same slot.
func (o original) list() string          { return o.key("") }
func (o original) claimed() string       { return o.key("claimed") }
func (o original) items() string         { return o.key("items") }
func (o original) consumers() string     { return o.key("consumers") }
func (o original) lock(id string) string { return o.key("lock:" + id) }
func (o original) copied() string        { return o.key("okqd-copied") }
func (o original) strays() string        { return o.key("okqd-strays") }

// originals finds the original's queues, on all masters of a Cluster.
func originals(ctx context.Context, client rueidis.Client) ([]original, error) {
	nodes := map[string]rueidis.Client{"": client}
	if client.Mode() == rueidis.ClientModeCluster {
		nodes = client.Nodes()
	}
	found := make(map[string]struct{})
	for _, node := range nodes {
		for cursor := uint64(0); ; {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(originalPrefix+"*").Count(1000).Build()).AsScanEntry()
			if err != nil {
				return nil, fmt.Errorf("look for queues: %w", err)
			}
			for _, key := range page.Elements {
				name, isItems := strings.CutSuffix(strings.TrimPrefix(key, originalPrefix), "}:items")
				if isItems {
					found[name] = struct{}{}
				}
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	var queues []original
	for name := range found {
		queues = append(queues, original{client, name})
	}
	slices.SortFunc(queues, func(a, b original) int { return strings.Compare(a.queue, b.queue) })
	return queues, nil
}

// originalCounts is how much of it there is.
type originalCounts struct{ queued, claimed, items int64 }

// strays is how many events are in no list, unless some are in both.
func (c originalCounts) strays() int64 { return max(0, c.items-c.queued-c.claimed) }

func (o original) count(ctx context.Context) (c originalCounts, err error) {
	b := o.client.B()
	for i, result := range o.client.DoMulti(ctx, b.Llen().Key(o.list()).Build(), b.Llen().Key(o.claimed()).Build(), b.Hlen().Key(o.items()).Build()) {
		*[]*int64{&c.queued, &c.claimed, &c.items}[i], err = result.AsInt64()
		if err != nil {
			return c, fmt.Errorf("count: %w", err)
		}
	}
	return c, nil
}

// served tells whether an original okq has consumers of the queue. It notes each every 10 s and drops it after 30.
func (o original) served(ctx context.Context) (bool, error) {
	since := fmt.Sprint(time.Now().Add(-30 * time.Second).Unix())
	n, err := o.client.Do(ctx, o.client.B().Zcount().Key(o.consumers()).Min(since).Max("+inf").Build()).AsInt64()
	return n > 0, err
}

// copyDone notes that everything was copied, unless it changed meanwhile.
func (o original) copyDone(ctx context.Context, c originalCounts) (bool, error) {
	const note = `if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) or redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[2])
or redis.call('HLEN', KEYS[3]) ~= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[4], 1)
return 1`
	eval := o.client.B().Eval().Script(note).Numkeys(4).Key(o.list(), o.claimed(), o.items(), o.copied()).
		Arg(fmt.Sprint(c.queued), fmt.Sprint(c.claimed), fmt.Sprint(c.items)).Build()
	n, err := o.client.Do(ctx, eval).AsInt64()
	return n == 1, err
}

func (o original) isCopied(ctx context.Context) (bool, error) {
	n, err := o.client.Do(ctx, o.client.B().Exists().Key(o.copied()).Build()).AsInt64()
	return n == 1, err
}

// remove takes away what was copied; strays that were not stay.
func (o original) remove(ctx context.Context) error {
	const remove = `redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('RENAME', KEYS[6], KEYS[3]) end
return 1`
	return o.client.Do(ctx, o.client.B().Eval().Script(remove).Numkeys(6).
		Key(o.list(), o.claimed(), o.items(), o.copied(), o.consumers(), o.strays()).Build()).Error()
}
