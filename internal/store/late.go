package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	// firstWait is how long OpenPatiently waits for a database before it returns without it.
	firstWait = 2 * time.Second
	// minRetry and maxRetry bound the pause between two tries to open it.
	minRetry, maxRetry = time.Second, 15 * time.Second
)

// OpenPatiently is Open for processes that are of use without their database: if MongoDB does not answer at once, it
// goes on trying until Close. Until then each call of the stores fails as one whose server is away.
func OpenPatiently(ctx context.Context, cfg Config, log zerolog.Logger) (*Stores, error) {
	if cfg.MongoAddr == "" {
		return Open(ctx, cfg, log)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// What ctx stops is the wait for the database. The stores live on until Close: requests under way need them.
	tries, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &late{stop: stop, opened: make(chan struct{})}
	l.trying.Go(func() { l.open(tries, cfg, log) })
	select {
	case <-l.opened:
		return l.stores(), nil
	case <-time.After(firstWait):
		log.Error().Msg("starting without the store, which does not answer: its calls fail until it does")
		return l.stores(), nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("open the store: %w", ctx.Err()), l.close())
	}
}

// late is a database that may not be open yet.
type late struct {
	real   atomic.Pointer[Stores]
	opened chan struct{}
	cause  atomic.Pointer[error] // why it is not open
	stop   context.CancelFunc
	trying sync.WaitGroup
}

func (l *late) open(ctx context.Context, cfg Config, log zerolog.Logger) {
	for pause := minRetry; ; pause = min(2*pause, maxRetry) {
		s, err := Open(ctx, cfg, log)
		if err == nil {
			l.real.Store(s)
			close(l.opened)
			return
		}
		if ctx.Err() != nil {
			return
		}
		l.cause.Store(&err)
		log.Error().Err(err).Dur("delay_ms", pause).Msg("store not open, will retry")
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (l *late) stores() *Stores {
	return &Stores{
		Prefs: latePrefs{l}, Stats: lateStats{l}, Keys: lateKeys{l}, Beats: lateBeats{l},
		ping: l.ping, close: []func() error{l.close},
	}
}

func (l *late) close() error {
	l.stop()
	l.trying.Wait()
	if s := l.real.Load(); s != nil {
		return s.Close()
	}
	return nil
}

func (l *late) ping(ctx context.Context) error {
	s, err := l.get(nil)
	if err != nil {
		return err
	}
	return s.Ping(ctx)
}

// get returns the stores, or an error that is unavailable.
func (l *late) get(unavailable error) (*Stores, error) {
	if s := l.real.Load(); s != nil {
		return s, nil
	}
	why := errors.New("the store has not answered yet")
	if cause := l.cause.Load(); cause != nil {
		why = *cause
	}
	if unavailable == nil {
		return nil, why
	}
	return nil, fmt.Errorf("%w: %w", unavailable, why)
}

type latePrefs struct{ *late }

func (l latePrefs) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	s, err := l.get(prefs.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Prefs.Flags(ctx, addresses)
}

func (l latePrefs) About(ctx context.Context, address string) (prefs.About, error) {
	s, err := l.get(prefs.ErrUnavailable)
	if err != nil {
		return prefs.About{}, err
	}
	return s.Prefs.About(ctx, address)
}

func (l latePrefs) SetFlags(ctx context.Context, address string, flags int64, at time.Time) error {
	s, err := l.get(prefs.ErrUnavailable)
	if err != nil {
		return err
	}
	return s.Prefs.SetFlags(ctx, address, flags, at)
}

func (l latePrefs) Move(ctx context.Context, oldAddress, newAddress string, at time.Time) error {
	s, err := l.get(prefs.ErrUnavailable)
	if err != nil {
		return err
	}
	return s.Prefs.Move(ctx, oldAddress, newAddress, at)
}

func (l latePrefs) Record(ctx context.Context, incidents []prefs.Incident) (lost int, err error) {
	s, err := l.get(prefs.ErrUnavailable)
	if err != nil {
		return 0, err
	}
	return s.Prefs.Record(ctx, incidents)
}

type lateStats struct{ *late }

func (l lateStats) Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*stats.Record, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Stats.Lookup(ctx, ids)
}

func (l lateStats) Begin(ctx context.Context, attempts []stats.Attempt) (won []bool, err error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Stats.Begin(ctx, attempts)
}

func (l lateStats) Settle(ctx context.Context, settlements []stats.Settlement) error {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return err
	}
	return s.Stats.Settle(ctx, settlements)
}

func (l lateStats) Fold(ctx context.Context, events []job.Event) (stats.FoldResult, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return stats.FoldResult{}, err
	}
	return s.Stats.Fold(ctx, events)
}

func (l lateStats) Last(ctx context.Context, recipient, uniqueID string) (*stats.Record, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Stats.Last(ctx, recipient, uniqueID)
}

func (l lateStats) Find(ctx context.Context, q stats.Query) ([]*stats.Record, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Stats.Find(ctx, q)
}

func (l lateStats) CountUnknown(ctx context.Context, atMost int) (int, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return 0, err
	}
	return s.Stats.CountUnknown(ctx, atMost)
}

func (l lateStats) Gaps(ctx context.Context, before time.Time, each func(*stats.Record) error) error {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return err
	}
	return s.Stats.Gaps(ctx, before, each)
}

func (l lateStats) Tally(ctx context.Context, from, to time.Time) ([]stats.Tally, error) {
	s, err := l.get(stats.ErrUnavailable)
	if err != nil {
		return nil, err
	}
	return s.Stats.Tally(ctx, from, to)
}

type lateKeys struct{ *late }

func (l lateKeys) Claim(ctx context.Context, key string, c idempotency.Claim) (idempotency.Claim, error) {
	s, err := l.get(idempotency.ErrUnavailable)
	if err != nil {
		return idempotency.Claim{}, err
	}
	return s.Keys.Claim(ctx, key, c)
}

func (l lateKeys) Confirm(ctx context.Context, key string, id job.ID) error {
	s, err := l.get(idempotency.ErrUnavailable)
	if err != nil {
		return err
	}
	return s.Keys.Confirm(ctx, key, id)
}

type lateBeats struct{ *late }

func (l lateBeats) Beat(ctx context.Context, b heartbeat.Beat) error {
	s, err := l.get(errNotOpen)
	if err != nil {
		return err
	}
	return s.Beats.Beat(ctx, b)
}

func (l lateBeats) Since(ctx context.Context, t time.Time) ([]heartbeat.Beat, error) {
	s, err := l.get(errNotOpen)
	if err != nil {
		return nil, err
	}
	return s.Beats.Since(ctx, t)
}

var errNotOpen = errors.New("store unavailable")
