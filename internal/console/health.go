package console

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	// healthDays is how many days are shown, today included.
	healthDays = 30
	// moving is for how many days after a mail was made events of it may well come: those days are counted again.
	moving = 4
	// recountAfter is how long after a count the next one begins, at least; recountShare bounds what counting takes of
	// the store: it rests for so many times as long as it took.
	recountAfter = time.Minute
	recountShare = 20
	tallyTimeout = 30 * time.Second
)

// An outcome is what became of mails that SendGrid has.
type outcome struct{ Sent, Delivered, Bounced, Dropped, Spam int }

func (o *outcome) add(t stats.Tally) {
	o.Sent += t.Mails
	for _, f := range []struct {
		flag int64
		n    *int
	}{{stats.FlagDelivered, &o.Delivered}, {stats.FlagBounced, &o.Bounced}, {stats.FlagDropped, &o.Dropped}, {stats.FlagSpamReported, &o.Spam}} {
		if t.StateFlags&f.flag != 0 {
			*f.n += t.Mails
		}
	}
}

func (o *outcome) sum(other outcome) {
	o.Sent += other.Sent
	o.Delivered += other.Delivered
	o.Bounced += other.Bounced
	o.Dropped += other.Dropped
	o.Spam += other.Spam
}

// A day is one in UTC, by when its mails were enqueued.
type day struct {
	date   time.Time
	all    outcome
	byFlag map[int64]*outcome // a mail with several flags counts for each, one without for 0
}

func (d *day) add(t stats.Tally) {
	d.all.add(t)
	of := func(flag int64) *outcome {
		if d.byFlag[flag] == nil {
			d.byFlag[flag] = &outcome{}
		}
		return d.byFlag[flag]
	}
	if t.EmailFlags == 0 {
		of(0).add(t)
	}
	for bit := range 63 {
		if flag := int64(1) << bit; t.EmailFlags&flag != 0 {
			of(flag).add(t)
		}
	}
}

// health counts what became of the mails of the last days, in the background: that is more than a page can wait for.
type health struct {
	records Records
	log     zerolog.Logger
	now     func() time.Time

	mu    sync.Mutex // protects the fields below
	days  map[time.Time]*day
	at    time.Time // when the latest count of today ended
	fault error     // why there is none since
}

func newHealth(records Records, log zerolog.Logger, now func() time.Time) *health {
	return &health{records: records, log: log, now: now, days: map[time.Time]*day{}}
}

// run counts until ctx ends, today first.
func (h *health) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		h.countAll(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(max(recountAfter, recountShare*time.Since(began))):
		}
	}
}

func (h *health) countAll(ctx context.Context) {
	today := h.now().UTC().Truncate(24 * time.Hour)
	for i := range healthDays {
		date := today.AddDate(0, 0, -i)
		h.mu.Lock()
		known := h.days[date] != nil
		h.mu.Unlock()
		if known && i >= moving {
			continue
		}
		d, err := h.count(ctx, date)
		if ctx.Err() != nil {
			return
		}
		h.keep(d, today, err)
		if err != nil {
			h.log.Warn().Err(err).Msg("cannot count the mails of a day")
			return
		}
	}
}

// count reads a day hour by hour, so that no question to the store is a long one.
func (h *health) count(ctx context.Context, date time.Time) (*day, error) {
	d := &day{date: date, byFlag: map[int64]*outcome{}}
	for hour := range 24 {
		from := date.Add(time.Duration(hour) * time.Hour)
		if from.After(h.now()) {
			break
		}
		asking, cancel := context.WithTimeout(ctx, tallyTimeout)
		tallies, err := h.records.Tally(asking, from, from.Add(time.Hour))
		cancel()
		if err != nil {
			return nil, err
		}
		for _, t := range tallies {
			d.add(t)
		}
	}
	return d, nil
}

func (h *health) keep(d *day, today time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fault = err; err != nil {
		return
	}
	h.days[d.date] = d
	if d.date.Equal(today) {
		h.at = h.now()
	}
	maps.DeleteFunc(h.days, func(date time.Time, _ *day) bool { return date.Before(today.AddDate(0, 0, -healthDays)) })
}

// look returns the days that have been counted, the latest first.
func (h *health) look() (days []*day, at time.Time, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	days = slices.SortedFunc(maps.Values(h.days), func(a, b *day) int { return b.date.Compare(a.date) })
	return days, h.at, h.fault
}
