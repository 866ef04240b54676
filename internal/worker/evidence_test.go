package worker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A clock drives an evidence through checks, one a second, in synctest's time.
type evidenceClock struct {
	*evidence
	stats, hooks okq.QueueStatus
	err          error
}

func newEvidenceClock() *evidenceClock {
	m := newMetrics(prometheus.NewRegistry())
	return &evidenceClock{evidence: newEvidence(Deps{}, 30*time.Second, zerolog.Nop(), m)}
}

// run makes a check each second for as long as d.
func (c *evidenceClock) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		c.note(wall(), []okq.QueueStatus{c.stats, c.hooks}, c.err)
	}
	c.note(wall(), []okq.QueueStatus{c.stats, c.hooks}, c.err)
}

func TestEvidenceWaitCountsOnlyTimeInWhichEvidenceCanCome(t *testing.T) {
	const wait = 2 * time.Minute
	alive := okq.QueueStatus{Queue: job.QueueHooks, Total: 1, Consumers: 1}
	gone := okq.QueueStatus{Queue: job.QueueHooks, Total: 1}
	for name, outage := range map[string]func(c *evidenceClock){
		"okq or the store is away":  func(c *evidenceClock) { c.err = errors.New("away"); c.run(time.Hour); c.err = nil },
		"for a moment":              func(c *evidenceClock) { c.err = errors.New("away"); c.run(0); c.err = nil },
		"pm-hooks is away":          func(c *evidenceClock) { c.hooks = gone; c.run(time.Hour); c.hooks = alive },
		"the worker is restarted":   func(c *evidenceClock) { *c = *newEvidenceClock(); c.hooks = alive },
		"the machine was suspended": func(c *evidenceClock) { time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newEvidenceClock()
				c.hooks = alive
				c.run(time.Minute)
				attempted := wall()
				c.run(time.Minute)
				outage(c)
				if left := c.left(attempted, wait); left < wait-time.Second {
					t.Errorf("%v are left after the outage, want all of %v", left, wait)
				}
				c.run(wait - 2*time.Second)
				if left := c.left(attempted, wait); left <= 0 {
					t.Error("decided before events could come for as long as --evidence-wait")
				}
				c.run(4 * time.Second)
				if left := c.left(attempted, wait); left > 0 {
					t.Errorf("%v are left although all was well for longer than %v", left, wait)
				}
			})
		})
	}
}

func TestEvidenceIsNotAwaitedForPmHooksThatNeverWasOrIsGoneForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newEvidenceClock()
		attempted := wall()
		c.run(time.Minute)
		if left := c.left(attempted, time.Minute); left > 0 {
			t.Errorf("no pm-hooks has ever been: %v are left", left)
		}
		c.hooks.Total = 1
		c.run(23 * time.Hour)
		if left := c.left(attempted, time.Minute); left <= 0 {
			t.Error("decided while SendGrid may still repeat the events")
		}
		if got := testutil.ToFloat64(c.m.evidence); got != 0 {
			t.Errorf("pm_worker_evidence_possible is %v", got)
		}
		c.run(2 * time.Hour)
		if left := c.left(attempted, time.Minute); left > 0 {
			t.Errorf("%v are left although SendGrid has given up", left)
		}
	})
}

// An event that a folder holds is not to be seen: it counts as folded when a lease has passed since it was not ready.
func TestEvidenceInTheHandOfAFolderIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newEvidenceClock()
		attempted := wall()
		c.stats = okq.QueueStatus{Total: 1}
		for range 600 { // nobody folds for ten minutes
			c.stats.OldestAge += time.Second
			c.run(0)
			time.Sleep(time.Second)
		}
		if left := c.left(attempted, time.Minute); left <= 0 {
			t.Error("decided while the event waits to be folded")
		}
		c.stats = okq.QueueStatus{Total: 1, Processing: 1}
		c.run(29 * time.Second)
		if left := c.left(attempted, time.Minute); left <= 0 {
			t.Error("decided while a folder has the event")
		}
		c.run(5 * time.Second) // others come and go all the time
		if left := c.left(attempted, time.Minute); left > 0 {
			t.Errorf("%v are left although the event must be folded by now", left)
		}
	})
}
