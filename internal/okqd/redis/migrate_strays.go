package redis

import (
	"context"

	"github.com/redis/rueidis"
)

// copyStrays looks through all contents for those of no list. They are what the original leaves when it dies between
// the two steps of a push; perhaps its client was told, and pushed the event again under another id.
func (m *migration) copyStrays(ctx context.Context) error {
	c := m.e.client
	for cursor := uint64(0); ; {
		page, err := c.Do(ctx, c.B().Hscan().Key(m.from.items()).Cursor(cursor).Count(migrateBatch).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		var events []migrated
		for i := 0; i+1 < len(page.Elements); i += 2 {
			events = append(events, migrated{page.Elements[i], page.Elements[i+1], -1})
		}
		if events, err = m.notImported(ctx, events); err != nil {
			return err
		}
		if err := m.keepStrays(ctx, events); err != nil {
			return err
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// keepStrays brings the events back, or puts them where they outlive the original.
func (m *migration) keepStrays(ctx context.Context, events []migrated) error {
	if len(events) == 0 {
		return nil
	}
	if m.strays {
		m.stray += int64(len(events))
		return m.take(ctx, events)
	}
	set := m.e.client.B().Hset().Key(m.from.strays()).FieldValue()
	for _, ev := range events {
		set = set.FieldValue(ev.id, ev.contents)
	}
	n, err := m.e.client.Do(ctx, set.Build()).AsInt64()
	m.stray += n
	return err
}

// notImported are the events whose ids the copy does not have.
func (m *migration) notImported(ctx context.Context, events []migrated) (rest []migrated, err error) {
	cmds := make(rueidis.Commands, len(events))
	for i, ev := range events {
		contents := imported(m.from.queue, partitionOf([]byte(ev.id), m.e.partitions))[contentsPart]
		cmds[i] = m.e.client.B().Hexists().Key(contents).Field(ev.id).Build()
	}
	for i, result := range m.e.client.DoMulti(ctx, cmds...) {
		there, err := result.AsBool()
		if err != nil {
			return nil, err
		}
		if !there {
			rest = append(rest, events[i])
		}
	}
	return rest, nil
}

// dropStrays forgets what was noted of a queue that has nothing else, and is left as it is.
func (o original) dropStrays(ctx context.Context) error {
	return o.client.Do(ctx, o.client.B().Unlink().Key(o.strays()).Build()).Error()
}
