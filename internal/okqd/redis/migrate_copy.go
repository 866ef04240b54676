package redis

import (
	"context"
	_ "embed" // migrate_import.lua
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

//go:embed migrate_import.lua
var importSource string

// migrateBatch is how many events are in memory at once.
const migrateBatch = 100

// tellEvery is after how many events the progress is told.
const tellEvery = 10_000

var errChanged = errors.New("it was changed while it was copied; stop what uses it and run this again")

// imported are the keys of a copy.
func imported(queue string, partition int) []string {
	list := keys(queue, partition)
	for i := range list {
		list[i] += ":migrating"
	}
	return list
}

// migrated is one event of the original's.
type migrated struct {
	id, contents string
	lease        int64 // as migrate_import.lua wants it
}

// copy copies the queue. nothing: there is nothing that is to be copied.
func (m *migration) copy(ctx context.Context) (nothing bool, err error) {
	if m.counts, err = m.from.count(ctx); err != nil {
		return false, err
	}
	if err := m.clean(ctx); err != nil {
		return false, fmt.Errorf("remove an unfinished copy: %w", err)
	}
	if err := m.copyList(ctx, m.from.claimed(), m.counts.claimed, true); err != nil {
		return false, fmt.Errorf("copy popped events: %w", err)
	}
	if err := m.copyList(ctx, m.from.list(), m.counts.queued, false); err != nil {
		return false, fmt.Errorf("copy queued events: %w", err)
	}
	if err := m.copyStrays(ctx); err != nil {
		return false, fmt.Errorf("copy events in no list: %w", err)
	}
	m.tell()
	if m.copied == 0 && m.stray > 0 {
		return true, m.from.dropStrays(ctx)
	}
	unchanged, err := m.from.copyDone(ctx, m.counts)
	if err == nil && !unchanged {
		err = errChanged
	}
	return false, err
}

func (m *migration) tell() {
	m.say("%d of %d copied, of which %d are leased and %d go back to the front", m.copied, m.counts.items, m.leased, m.back)
	if m.bare > 0 {
		m.say("%d ids have no contents and are dropped", m.bare)
	}
	if m.stray > 0 && !m.strays {
		m.say("%d events are in no list and stay where they are; --strays brings them back", m.stray)
	} else if m.stray > 0 {
		m.say("%d events were in no list and go to the back", m.stray)
	}
}

func (m *migration) clean(ctx context.Context) error {
	old := []string{m.from.strays()}
	if err := m.unlink(ctx, old); err != nil {
		return err
	}
	for i := range m.e.partitions {
		if err := m.unlink(ctx, imported(m.from.queue, i)); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) unlink(ctx context.Context, keys []string) error {
	return m.e.client.Do(ctx, m.e.client.B().Unlink().Key(keys...).Build()).Error()
}

// copyList copies a list from its right end, which is next.
func (m *migration) copyList(ctx context.Context, key string, n int64, claimed bool) error {
	c := m.e.client
	for at := int64(0); at < n; at += migrateBatch {
		ids, err := c.Do(ctx, c.B().Lrange().Key(key).Start(-at-migrateBatch).Stop(-at-1).Build()).AsStrSlice()
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return errChanged
		}
		contents, err := c.Do(ctx, c.B().Hmget().Key(m.from.items()).Field(ids...).Build()).ToArray()
		if err != nil {
			return err
		}
		leases, err := m.leases(ctx, ids, claimed)
		if err != nil {
			return err
		}
		var events []migrated
		for i := len(ids) - 1; i >= 0; i-- {
			if contents[i].IsNil() {
				m.bare++
				continue
			}
			text, err := contents[i].ToString()
			if err != nil {
				return err
			}
			events = append(events, migrated{ids[i], text, leases[i]})
		}
		if err := m.take(ctx, events); err != nil {
			return err
		}
		if m.copied%tellEvery < migrateBatch && m.copied >= tellEvery {
			m.say("%d of %d copied", m.copied, m.counts.items)
		}
	}
	return nil
}

// leases are what the locks of popped events have left.
func (m *migration) leases(ctx context.Context, ids []string, claimed bool) ([]int64, error) {
	leases := make([]int64, len(ids))
	if !claimed {
		for i := range leases {
			leases[i] = -1
		}
		return leases, nil
	}
	cmds := make(rueidis.Commands, len(ids))
	for i, id := range ids {
		cmds[i] = m.e.client.B().Pttl().Key(m.from.lock(id)).Build()
	}
	for i, result := range m.e.client.DoMulti(ctx, cmds...) {
		ms, err := result.AsInt64()
		if err != nil {
			return nil, err
		}
		leases[i] = max(ms, 0)
		if ms > 0 {
			m.leased++
		} else {
			m.back++
		}
	}
	return leases, nil
}

// take imports events, in order.
func (m *migration) take(ctx context.Context, events []migrated) error {
	args := make([][]string, m.e.partitions)
	for _, ev := range events {
		at := partitionOf([]byte(ev.id), m.e.partitions)
		args[at] = append(args[at], ev.id, ev.contents, strconv.FormatInt(ev.lease, 10))
	}
	for partition, list := range args {
		if len(list) == 0 {
			continue
		}
		eval := m.e.client.B().Eval().Script(importSource).Numkeys(int64(len(parts))).
			Key(imported(m.from.queue, partition)...).Arg(list...).Build()
		n, err := m.e.client.Do(ctx, eval).AsInt64()
		if err != nil {
			return err
		}
		m.copied += n
	}
	return nil
}
