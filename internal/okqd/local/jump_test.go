package local

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// machine is a machine's clock that can be set.
type machine struct{ ahead atomic.Int64 }

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

// set moves the clock, and waits until the engine has looked at it.
func (m *machine) set(d time.Duration) {
	m.ahead.Add(int64(d))
	time.Sleep(jumpEvery + time.Millisecond)
	synctest.Wait()
}

func (m *machine) start(t *testing.T, fs *journaltest.FS) *slowBox {
	t.Helper()
	e, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: fs, clock: time.Now, machine: m.now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &slowBox{t: t, fs: fs, Engine: e, ended: make(chan error, 1), stop: cancel}
	go func() { b.ended <- e.Run(ctx) }()
	return b
}

func (b *slowBox) state(id string) string {
	b.t.Helper()
	op, _ := b.must(engine.Op{Kind: engine.Find, Queue: []byte("q"), ID: []byte(id)})
	if len(op.Events) == 0 {
		return "gone"
	}
	return op.Found.State.String()
}

// prepare leases an event for a minute and delays two others.
func (b *slowBox) prepare() (leased time.Time) {
	b.t.Helper()
	b.must(pushOp("leased"))
	b.must(popOp(time.Minute))
	for id, delay := range map[string]time.Duration{"soon": 30 * time.Minute, "late": 3 * time.Hour} {
		push := pushOp(id)
		push.Delay = delay
		b.must(push)
	}
	return time.Now()
}

func (b *slowBox) want(when string, states map[string]string) {
	b.t.Helper()
	for id, want := range states {
		if got := b.state(id); got != want {
			b.t.Errorf("%s: %s is %s, want %s", when, id, got, want)
		}
	}
}

// A virtual machine stands still for two hours. What was to be ready meanwhile is when it goes on, what was not is two
// hours nearer, and a lease has what was left of it, also after a crash.
func TestSuspendedMachine(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := new(machine)
			b := m.start(t, journaltest.New())
			leased := b.prepare()
			m.set(2 * time.Hour)
			if crash {
				b.must(pushOp("other"))
				left := b.fs.Crash(nil)
				b.end()
				b = m.start(t, left)
			}
			b.want("after it", map[string]string{"leased": "leased", "soon": "ready", "late": "delayed"})
			time.Sleep(time.Until(leased.Add(time.Minute - time.Second)))
			b.want("a second before the lease ends", map[string]string{"leased": "leased"})
			time.Sleep(time.Second + leaseSlack + time.Millisecond)
			b.want("when the lease is over", map[string]string{"leased": "ready"})
			time.Sleep(time.Until(leased.Add(time.Hour - time.Second)))
			b.want("a second before the delay ends", map[string]string{"late": "delayed"})
			time.Sleep(2 * time.Second)
			b.want("when the delay is over", map[string]string{"late": "ready"})
			if err := b.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A clock that is set back, and right again, ends nothing early and nothing late.
func TestClockSetBackAndForth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(machine)
		b := m.start(t, journaltest.New())
		began := b.prepare()
		m.set(-2 * time.Hour)
		b.want("set back", map[string]string{"leased": "leased", "soon": "delayed", "late": "delayed"})
		m.set(2 * time.Hour)
		b.want("set right", map[string]string{"leased": "leased", "soon": "delayed", "late": "delayed"})
		time.Sleep(time.Until(began.Add(time.Minute + leaseSlack + time.Millisecond)))
		b.want("after a minute", map[string]string{"leased": "ready", "soon": "delayed"})
		m.set(-2 * time.Hour)
		time.Sleep(time.Until(began.Add(30*time.Minute + time.Second)))
		b.want("after half an hour", map[string]string{"soon": "ready", "late": "delayed"})
		time.Sleep(time.Until(began.Add(3*time.Hour + time.Second)))
		b.want("after three hours", map[string]string{"late": "ready"})
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}
