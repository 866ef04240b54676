package worker

import (
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// An email whose attempts surely fail, as in an outage, spends none of --max-attempts. It is tried again with growing
// pauses until its attempts have failed for --give-up-after, counted from its own first failed attempt. Time in which its
// sending was stopped (by the breaker, a limit, a store that fails, or a pause of its queue) does not count, and neither
// does time before this process began, because nobody knows what was stopped then: in doubt an email goes on.

// fail counts an attempt that surely was not sent.
func (w *Worker) fail(m *mail) {
	if w.deps.Stats == nil {
		w.failures.recall(m)
		w.addFailing(m)
		defer w.failures.keep(m)
	}
	m.failed++
}

// addFailing adds the time since the attempt before the latest, if any has failed.
func (w *Worker) addFailing(m *mail) {
	from := m.previous
	if from.Before(w.began) {
		from = w.began
	}
	if m.failed > 0 {
		m.failing += max(time.Since(from)-w.stopped(m.Queue, from), 0)
	}
}

// stopped returns for how long of the time since then nothing was sent from a queue. Time that was stopped for several
// reasons counts several times, which only makes emails go on for longer.
func (w *Worker) stopped(queue string, since time.Time) time.Duration {
	return w.control.Stopped(since) + w.pauses.stopped(queue, since) + w.gate.stopped(since)
}

// failures are those of emails while there is no ledger. A restart forgets them.
type failures struct {
	mu  sync.Mutex // protects ids
	ids map[job.ID]failure
}

type failure struct {
	failed    int
	failing   time.Duration
	attempted time.Time
}

// maxFailures bounds how many are remembered.
const maxFailures = 10_000

// recall does what reading the ledger would.
func (f *failures) recall(m *mail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.ids[m.id()]; ok {
		m.failed, m.failing, m.previous = known.failed, known.failing, known.attempted
	}
}

func (f *failures) keep(m *mail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids == nil || len(f.ids) >= maxFailures {
		f.ids = map[job.ID]failure{}
	}
	f.ids[m.id()] = failure{m.failed, m.failing, m.attempted}
}
