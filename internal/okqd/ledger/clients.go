package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Client is one connection that repeats nothing by itself.
func Client(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, MaxRetries: -1, PoolSize: 1, DialerRetries: 1, ReadTimeout: time.Minute,
		ContextTimeoutEnabled: true,
	})
}

// Produce pushes, a few at a time, until it is cut off or ctx ends.
func (l *Ledger) Produce(ctx context.Context, addr, name string) {
	c := Client(addr)
	defer c.Close()
	for n := 0; ctx.Err() == nil; {
		var ids []string
		for range 1 + rand.IntN(8) {
			ids = append(ids, fmt.Sprintf("%s-%d", name, n))
			n++
		}
		for len(ids) > 0 {
			if ids = l.push(ctx, c, ids); len(ids) > 0 && (l.manner == CutOff || ctx.Err() != nil) {
				return
			}
		}
	}
}

// push returns the ids whose pushes were not answered well. A duplicate is there, so that is well.
func (l *Ledger) push(ctx context.Context, c *redis.Client, ids []string) (again []string) {
	pipe := c.Pipeline()
	for _, id := range ids {
		command := []any{"QLPUSH", "q", id, contentsOf(id)}
		if rand.IntN(8) == 0 {
			command = append(command, "DELAY", rand.IntN(300))
		}
		pipe.Do(ctx, command...)
	}
	cmds, _ := pipe.Exec(ctx) // each command knows
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, cmd := range cmds {
		if err := cmd.Err(); err == nil || strings.HasPrefix(err.Error(), "ERR duplicate event") {
			l.pushed[ids[i]] = true
			continue
		}
		l.failedLocked(ctx)
		l.repeated[ids[i]] = true
		again = append(again, ids[i])
	}
	return again
}

// failedLocked counts a command that failed, but not for want of time.
func (l *Ledger) failedLocked(ctx context.Context) {
	if ctx.Err() == nil {
		l.errors++
	}
}

// Consume pops and acks or gives back until it is cut off or ctx ends.
func (l *Ledger) Consume(ctx context.Context, addr string) {
	c := Client(addr)
	defer c.Close()
	for ctx.Err() == nil {
		ids, err := l.pop(ctx, c, 1+rand.IntN(8))
		if err == nil {
			err = l.ack(ctx, c, ids)
		}
		if err != nil && l.manner == CutOff {
			return
		}
		if len(ids) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func (l *Ledger) pop(ctx context.Context, c *redis.Client, n int) (ids []string, err error) {
	began := time.Now()
	events, err := c.Do(ctx, "QRPOP", "q", "EX", 1, "COUNT", n).Slice()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failedLocked(ctx)
		return nil, err
	}
	for _, ev := range events {
		ev := ev.([]any)
		id, contents := ev[0].(string), ev[1].(string)
		if contents != contentsOf(id) {
			l.bad = append(l.bad, id)
		}
		if at, ok := l.acked[id]; ok && at.Before(began) && !l.repeated[id] { // else the pop may have been first, its lease at an end
			l.seenAfterAck[id] = true
		}
		if l.popped[id]++; l.popped[id] > 1 {
			l.again++
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (l *Ledger) ack(ctx context.Context, c *redis.Client, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	pipe := c.Pipeline()
	redo := make([]bool, len(ids))
	l.mu.Lock()
	for i, id := range ids {
		if redo[i] = rand.IntN(5) == 0; redo[i] {
			pipe.Do(ctx, "QACK", "q", id, "REDO")
			continue
		}
		pipe.Do(ctx, "QACK", "q", id)
		l.ackSent[id] = true
	}
	l.mu.Unlock()
	cmds, err := pipe.Exec(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, cmd := range cmds {
		n, err := cmd.(*redis.Cmd).Int()
		if err != nil {
			l.failedLocked(ctx)
		}
		if n == 1 && !redo[i] {
			l.acked[ids[i]] = time.Now()
		}
	}
	return err
}

// Drain takes all that is left, waiting for leases and delays to end.
func (l *Ledger) Drain(tb testing.TB, addr string) {
	tb.Helper()
	c := Client(addr)
	defer c.Close()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ids, err := l.pop(tb.Context(), c, 1000)
		if err == nil {
			err = l.ack(tb.Context(), c, ids)
		}
		var total int64
		if err == nil {
			total, err = left(tb.Context(), c)
		}
		if err != nil && l.manner == CutOff {
			tb.Fatal(err)
		}
		if total == 0 && err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d events never came (%v)", total, err)
		}
	}
}

func left(ctx context.Context, c *redis.Client) (int64, error) {
	rows, err := c.Do(ctx, "QSTATUS", "q").Slice()
	if err != nil {
		return 0, err
	}
	total, ok := rows[0].([]any)[1].(int64)
	if !ok {
		return 0, errors.New("odd row")
	}
	return total, nil
}
