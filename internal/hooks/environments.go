package hooks

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	// refusedFor is how long events must have come, all of other environments, before that is a fault: a POST may hold
	// events of one environment only. It is also the time between two warnings.
	refusedFor = time.Minute
	// maxNamed bounds the environments that a warning names, and maxEnvName their length: they come from outside.
	maxNamed   = 5
	maxEnvName = 64
)

// An envWatch notices that events arrive and none is of an accepted environment: then --environment of the senders and
// --accept-env do not fit, and every bounce and unsubscribe is dropped.
type envWatch struct {
	accepts []string
	log     zerolog.Logger
	now     func() time.Time

	mu       sync.Mutex // protects the fields below
	accepted time.Time  // when an event was accepted last
	refused  time.Time  // when one was refused last
	dropped  int        // since the last warning
	names    map[string]bool
	warned   time.Time
}

func newEnvWatch(accepts []string, log zerolog.Logger, now func() time.Time) *envWatch {
	return &envWatch{accepts: accepts, log: log, now: now, names: map[string]bool{}}
}

// add counts a POST: how many of its events were accepted, and the environments of those that were dropped. It returns
// what the console should know, once a minute at most; nil otherwise.
func (w *envWatch) add(accepted int, dropped []string) *job.Dropping {
	if accepted == 0 && len(dropped) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if accepted > 0 {
		w.accepted, w.dropped = now, 0
		clear(w.names)
		return nil
	}
	w.refused = now
	w.dropped += len(dropped)
	for _, name := range dropped {
		if len(w.names) < maxNamed {
			w.names[name[:min(len(name), maxEnvName)]] = true
		}
	}
	if !w.failingLocked(now) || now.Sub(w.warned) < refusedFor {
		return nil
	}
	names := slices.Sorted(maps.Keys(w.names))
	w.log.Warn().Int("events", w.dropped).Strs("environments", names).Strs("accept_env", w.accepts).
		Msg("every event is dropped: its environment is not in --accept-env")
	w.warned, w.dropped = now, 0
	clear(w.names)
	return &job.Dropping{At: now.Unix(), Environments: names, Accepted: w.accepts}
}

// failing reports whether events arrive and none is accepted.
func (w *envWatch) failing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failingLocked(w.now())
}

func (w *envWatch) failingLocked(now time.Time) bool {
	return !w.refused.IsZero() && now.Sub(w.refused) < 2*refusedFor && now.Sub(w.accepted) >= refusedFor
}

// gauge is 1 while events arrive and none is accepted.
func (w *envWatch) gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pm_hooks_no_environment_accepted", Help: "1 while events arrive and none is of an environment in --accept-env.",
	}, func() float64 {
		if w.failing() {
			return 1
		}
		return 0
	})
}

// tell writes d where the console finds it. It is no more than a hint, so an okq that does not take it costs nothing.
func (h *handler) tell(ctx context.Context, d *job.Dropping) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTimeout)
	defer cancel()
	contents, err := d.Encode()
	e := okq.Event{Queue: job.QueueHooks, ID: job.DroppingID, Contents: contents}
	if err == nil {
		err = h.pusher.PushAll(ctx, []okq.Event{e})[0]
	}
	if errors.Is(err, okq.ErrDuplicate) {
		_, err = h.pusher.Replace(ctx, e, 0)
	}
	if err != nil {
		h.log.Debug().Err(err).Msg("console not told that every event is dropped")
	}
}
