package redis

import (
	"context"
	_ "embed" // migrate_publish.lua
	"fmt"
	"slices"
	"strconv"
	"time"
)

//go:embed migrate_publish.lua
var publishSource string

// publish makes the copy the queue. there is how many ids the queue had already.
func (m *migration) publish(ctx context.Context) (there int64, err error) {
	if err := m.e.names.tell(ctx, time.Now(), []string{m.from.queue}); err != nil {
		return 0, fmt.Errorf("list the queue: %w", err)
	}
	for partition := range m.e.partitions {
		for {
			left, n, err := m.publishSome(ctx, partition)
			if err != nil {
				return there, fmt.Errorf("make the copy the queue: %w", err)
			}
			if there += n; left == 0 {
				break
			}
			m.say("%d left to put in front of the queue's own events", left)
		}
	}
	return there, nil
}

func (m *migration) publishSome(ctx context.Context, partition int) (left, there int64, err error) {
	consumers := len(parts) - 1
	from, to := imported(m.from.queue, partition)[:consumers], keys(m.from.queue, partition)[:consumers]
	eval := m.e.client.B().Eval().Script(publishSource).Numkeys(int64(2*consumers)).Key(slices.Concat(from, to)...).
		Arg(wakeChannel, m.from.queue, strconv.Itoa(10*migrateBatch)).Build()
	n, err := m.e.client.Do(ctx, eval).AsIntSlice()
	if err == nil && len(n) != 2 {
		err = errReply
	}
	if err != nil {
		return 0, 0, err
	}
	return n[0], n[1], nil
}
