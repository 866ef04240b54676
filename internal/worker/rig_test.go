package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A rig is a worker among real services: okqd, an SQLite file, and the sandbox in SendGrid's place.
type rig struct {
	*testing.T
	okq      *okq.Client
	store    *cut
	beats    heartbeat.Store
	sendgrid *sandbox.Sandbox
	cfg      Config
	mongo    string // the store's URI; empty: an SQLite file
	db, addr string // of the SQLite file, and of okqd
	wrap     func(Sender) Sender
	worker   *Worker // the one started last
	reg      *prometheus.Registry
}

// testConfig is impatient where the defaults are patient.
func testConfig() Config {
	return Config{
		Queues: []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats}, Concurrency: 16,
		DrainWait: 8 * time.Second, SendTimeout: 5 * time.Second, Lease: 10 * time.Second,
		MaxAttempts: 3, GiveUpAfter: time.Hour, MaxDeliveries: 3, Unknown: job.OnUnknownResend, EvidenceWait: 300 * time.Millisecond, Environment: "test",
	}
}

func newRig(t *testing.T, change ...func(*rig)) *rig {
	t.Helper()
	r := &rig{T: t, sendgrid: sandboxtest.RunT(t), cfg: testConfig(), store: &cut{}}
	for _, f := range change {
		f(r)
	}
	if r.store != nil {
		cfg := store.Config{MongoAddr: r.mongo}
		if r.mongo == "" {
			cfg.SQLite = cmp.Or(r.db, filepath.Join(t.TempDir(), "pm.db"))
		}
		stores := storetest.Open(t, cfg)
		r.store.Store, r.store.prefs, r.beats = stores.Stats, stores.Prefs, stores.Beats
	}
	if r.okq == nil {
		r.addr = okqdtest.RunT(t).Addr
		r.okq = r.client(r.addr)
	}
	return r
}

func (r *rig) client(addr string) *okq.Client {
	r.Helper()
	c, err := okq.New(okq.Options{Addrs: []string{addr}})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(c.Close)
	return c
}

// start runs a worker until stop, or the test's end.
func (r *rig) start() (stop func()) {
	r.Helper()
	if err := r.cfg.Validate(); err != nil {
		r.Fatal(err)
	}
	sender := sendgrid.New(sendgrid.Config{Key: "SG.test", URL: r.sendgrid.URL()}, r.cfg.Environment, r.cfg.Concurrency)
	deps := Deps{Queue: r.okq, Sender: sender, Beats: r.beats}
	if r.wrap != nil {
		deps.Sender = r.wrap(sender)
	}
	if r.store != nil {
		deps.Stats, deps.Prefs = r.store, cutPrefs{r.store.prefs, r.store}
	}
	r.reg = prometheus.NewRegistry()
	w, err := New(r.cfg, deps, zerolog.New(zerolog.NewTestWriter(r.T)).Level(zerolog.WarnLevel), r.reg)
	if err != nil {
		r.Fatal(err)
	}
	r.worker = w
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("worker: %v", err)
		}
		sender.Close()
	})
	r.Cleanup(stop)
	return stop
}

// mail is a mail to somebody.
func (r *rig) mail(to string, change ...func(*job.Email)) *job.Email {
	e := &job.Email{
		ID: job.NewID(), To: to, From: "shop@example.org", Subject: "Hello", Text: "It works.", Flags: 4,
	}
	for _, f := range change {
		f(e)
	}
	return e
}

func (r *rig) enqueue(mails ...*job.Email) {
	r.Helper()
	events := make([]okq.Event, len(mails))
	for i, e := range mails {
		contents, err := e.Encode()
		if err != nil {
			r.Fatal(err)
		}
		events[i] = okq.Event{Queue: e.Queue(), ID: string(e.ID), Contents: contents}
	}
	if err := errors.Join(r.okq.PushAll(r.Context(), events)...); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) push(queue, id, contents string) {
	r.Helper()
	if err := r.okq.Push(r.Context(), okq.Event{Queue: queue, ID: id, Contents: []byte(contents)}); err != nil {
		r.Fatal(err)
	}
}

// event has the worker fold an event about a mail.
func (r *rig) event(e *job.Email, eventType, more string) {
	r.Helper()
	r.push(job.QueueStats, string(job.NewID()), fmt.Sprintf(`[{"event":%q,"email":%q,"timestamp":%d,"pmStatsID":%q,"pmEnvID":"test"%s}]`,
		eventType, e.To, time.Now().Unix(), e.ID, more))
}

// eventually waits for something that has to happen.
func (r *rig) eventually(what string, happened func() bool) {
	r.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("%s: has not happened", what)
		}
	}
}

func (r *rig) record(id job.ID) *stats.Record {
	r.Helper()
	records, err := r.store.Store.Lookup(r.Context(), []job.ID{id})
	if err != nil {
		r.Fatal(err)
	}
	return records[id]
}

// ends waits until the mail is in a state and its job is gone.
func (r *rig) ends(e *job.Email, state stats.State) *stats.Record {
	r.Helper()
	var rec *stats.Record
	r.eventually(fmt.Sprintf("mail to %s is %s", e.To, state), func() bool {
		rec = r.record(e.ID)
		return rec != nil && rec.Outcome() == state
	})
	r.empty(e.Queue())
	return rec
}

// empty waits until nothing of a queue is left, waiting or leased.
func (r *rig) empty(queue string) {
	r.Helper()
	r.eventually(queue+" is empty", func() bool { return r.total(queue) == 0 })
}

func (r *rig) total(queue string) int {
	r.Helper()
	statuses, err := r.okq.Status(r.Context(), queue)
	if err != nil {
		r.Fatal(err)
	}
	if len(statuses) == 0 {
		return 0
	}
	return int(statuses[0].Total)
}

// deadLetter waits for the one dead letter there is.
func (r *rig) deadLetter(queue string) *job.DeadLetter {
	r.Helper()
	var letter *job.DeadLetter
	r.eventually("dead letter in "+queue, func() bool {
		e, ok, err := r.okq.Peek(r.Context(), queue, okq.PeekFront)
		if err != nil {
			r.Fatal(err)
		}
		if !ok {
			return false
		}
		if letter, err = job.DecodeDeadLetter(e.Contents); err != nil {
			r.Fatal(err)
		}
		return true
	})
	return letter
}

// accepted checks how often SendGrid took a mail.
func (r *rig) accepted(e *job.Email, want int) {
	r.Helper()
	if got := r.sendgrid.Accepted(string(e.ID)); got != want {
		r.Errorf("mail to %s was accepted %d times, want %d", e.To, got, want)
	}
}

func (r *rig) counted(c prometheus.Collector, want float64) {
	r.Helper()
	r.eventually("counter", func() bool { return testutil.ToFloat64(c) == want })
}

// A cut is a store whose connection can be cut, and that can be made to fail.
type cut struct {
	stats.Store
	prefs    prefs.Store
	away     atomic.Bool
	err      atomic.Pointer[error]  // of every call
	odd      atomic.Pointer[oddity] // of those about one email
	oddCalls atomic.Int64
}

type oddity struct {
	id  job.ID
	err error
}

func (c *cut) fail(err error) { c.err.Store(&err) }

func (c *cut) failOn(id job.ID, err error) { c.odd.Store(&oddity{id, err}) }

func (c *cut) check(ids ...job.ID) error {
	if c.away.Load() {
		return fmt.Errorf("cut off: %w", stats.ErrUnavailable)
	}
	if err := c.err.Load(); err != nil && *err != nil {
		return *err
	}
	if o := c.odd.Load(); o != nil && o.err != nil && slices.Contains(ids, o.id) {
		c.oddCalls.Add(1)
		return o.err
	}
	return nil
}

func (c *cut) Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*stats.Record, error) {
	if err := c.check(ids...); err != nil {
		return nil, err
	}
	return c.Store.Lookup(ctx, ids)
}

func (c *cut) Begin(ctx context.Context, attempts []stats.Attempt) ([]bool, error) {
	var ids []job.ID
	for _, a := range attempts {
		ids = append(ids, a.ID)
	}
	if err := c.check(ids...); err != nil {
		return nil, err
	}
	return c.Store.Begin(ctx, attempts)
}

func (c *cut) Settle(ctx context.Context, settlements []stats.Settlement) error {
	var ids []job.ID
	for _, s := range settlements {
		ids = append(ids, s.ID)
	}
	if err := c.check(ids...); err != nil {
		return err
	}
	return c.Store.Settle(ctx, settlements)
}

func (c *cut) Fold(ctx context.Context, events []job.Event) (stats.FoldResult, error) {
	var ids []job.ID
	for _, e := range events {
		ids = append(ids, e.StatsID)
	}
	if err := c.check(ids...); err != nil {
		return stats.FoldResult{}, err
	}
	return c.Store.Fold(ctx, events)
}

type cutPrefs struct {
	prefs.Store
	cut *cut
}

func (c cutPrefs) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	if err := c.cut.check(); err != nil {
		return nil, err
	}
	return c.Store.Flags(ctx, addresses)
}
