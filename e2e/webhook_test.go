package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// copies is how often SendGrid sends each event.
const copies = 3

// TestHeavyKilledHooksLoseNoEvent: SendGrid sends events in any order, three times each, and again whatever is not
// answered 2xx, while pm-hooks and okqd are killed over and over. What pm-worker then has on record of each mail and
// each recipient is what a quiet system has that saw each event once.
func TestHeavyKilledHooksLoseNoEvent(t *testing.T) {
	testenv.Heavy(t)
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			mails := variable(t, "PM_FAULT_MAILS", 1000)
			seed := uint64(variable(t, "PM_FAULT_SEED", int(rand.Uint32())))
			(&eventStorm{T: t, mails: mails, seed: seed, dice: rand.New(rand.NewPCG(seed, 0)), stormy: open(t)}).run()
		})
	}
}

func variable(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

type eventStorm struct {
	*testing.T
	mails int
	seed  uint64
	dice  *rand.Rand

	stormy, quiet      database
	sendgrid           *sandbox.Sandbox
	relay              *relay
	okqd, hooks        *process.Process
	queue              *okq.Client
	hookKills, okKills int
}

func (s *eventStorm) run() {
	s.Logf("seed %d", s.seed)
	spread := max(15*time.Second, time.Duration(s.mails)*3*time.Millisecond) // of the events, so that kills find some
	s.sendgrid = sandboxtest.RunT(s.T,
		sandboxtest.Delays(sandbox.Delays{Processed: spread / 2, Delivered: spread, Open: spread}),
		sandboxtest.Events(sandbox.WebhookConfig{Copies: copies, Shuffle: true, RetryMin: 100 * time.Millisecond, RetryMax: time.Second}),
		func(c *sandbox.Config) { c.Seed = s.seed })
	s.okqd, s.queue = s.startOkqd()
	s.hooks = s.startHooks(s.okqd, "--webhook-public-key", s.sendgrid.PublicKey())
	s.hooks.Args = append(s.hooks.Args, "--webhook-addr", s.hooks.Addr) // the same again after a kill
	s.relay = newRelay(s.T, s.sendgrid, "http://"+s.hooks.Addr+"/")

	s.send()
	s.quiet = s.stormy.copy(s.T) // which has the ledger, and no event yet
	began := time.Now()
	s.relay.unlock()
	worker := s.startWorker(s.okqd, job.QueueStats, s.stormy)
	s.killUntilAllIsFolded()
	took := time.Since(began)
	worker.Stop()
	s.foldQuietly()
	s.compare(took)
}

func (s *eventStorm) startOkqd() (*process.Process, *okq.Client) {
	p := process.Start(s.T, 2, "okqd", "--listen-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--data-dir", filepath.Join(s.TempDir(), "okq"))
	p.Args[1] = p.Addr
	client, err := okq.New(okq.Options{Addrs: []string{p.Addr}})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	return p, client
}

func (s *eventStorm) startHooks(okqd *process.Process, flags ...string) *process.Process {
	return process.Start(s.T, 2, "pm-hooks", append([]string{"--okq-addr", okqd.Addr, "--ops-addr", "127.0.0.1:0", "--accept-env", "dev",
		"--webhook-addr", "127.0.0.1:0"}, flags...)...)
}

func (s *eventStorm) startWorker(okqd *process.Process, queue string, db database) *process.Process {
	return process.Start(s.T, 1, "pm-worker", append([]string{"--okq-addr", okqd.Addr, "--ops-addr", "127.0.0.1:0", "--queues", queue,
		"--sendgrid-key", "SG.e2e", "--sendgrid-url", s.sendgrid.URL(), "--send-timeout", "3s", "--lease", "5s"}, db.flags()...)...)
}

// send has all mails accepted and settled, while SendGrid keeps the events.
func (s *eventStorm) send() {
	s.Helper()
	worker := s.startWorker(s.okqd, job.QueueEmailNormal, s.stormy)
	names := []string{"alex", "noopen", "bounce", "block", "drop", "defer", "spam", "unsub", "click"}
	events := make([]okq.Event, s.mails)
	for i := range events {
		e := &job.Email{
			ID: job.NewID(), To: fmt.Sprintf("%s+%d@example.com", names[s.dice.IntN(len(names))], s.dice.IntN(s.mails)),
			From: "shop@example.org", Subject: "Hello", Text: "It works.", Flags: 2 << s.dice.IntN(8),
		}
		contents, err := e.Encode()
		if err != nil {
			s.Fatal(err)
		}
		events[i] = okq.Event{Queue: job.QueueEmailNormal, ID: string(e.ID), Contents: contents}
	}
	if err := errors.Join(s.queue.PushAll(s.Context(), events)...); err != nil {
		s.Fatal(err)
	}
	process.Eventually(s.T, 5*time.Minute, "all mails sent", func() bool { return s.left(s.queue, job.QueueEmailNormal) == 0 })
	if code := worker.Stop(); code != 0 {
		s.Fatalf("pm-worker: exit %d", code)
	}
}

// left is how many events a queue has; one if okqd does not say.
func (s *eventStorm) left(client *okq.Client, queue string) int {
	statuses, err := client.Status(s.Context(), queue)
	if err != nil || len(statuses) != 1 {
		return 1
	}
	return int(statuses[0].Total)
}

// killUntilAllIsFolded kills pm-hooks and okqd in turns. What was killed stays down until a POST has felt it.
func (s *eventStorm) killUntilAllIsFolded() {
	s.Helper()
	deadline := time.Now().Add(20 * time.Minute)
	for !s.folded() {
		if time.Now().After(deadline) {
			s.Fatalf("not all is folded: %+v, %d in the queue", s.sendgrid.Counters().Webhook, s.left(s.queue, job.QueueStats))
		}
		for pause := time.Now().Add(time.Second + time.Duration(s.dice.Int64N(int64(2*time.Second)))); time.Now().Before(pause) && !s.folded(); {
			time.Sleep(50 * time.Millisecond)
		}
		if s.sendgrid.Counters().Webhook.Buffered == 0 {
			continue // nothing left that a kill could hit on its way in
		}
		victim, count := s.hooks, &s.hookKills
		if s.dice.IntN(2) == 0 {
			victim, count = s.okqd, &s.okKills
		}
		_, before := s.relay.counts()
		victim.Kill()
		*count++
		process.Eventually(s.T, 2*time.Minute, "a POST fails", func() bool {
			_, failed := s.relay.counts()
			return failed > before || s.sendgrid.Counters().Webhook.Buffered == 0
		})
		victim.Run(2)
	}
}

// folded tells whether SendGrid has been rid of all events, and pm-worker too.
func (s *eventStorm) folded() bool {
	return s.sendgrid.Counters().Webhook.Buffered == 0 && s.left(s.queue, job.QueueStats) == 0
}

// foldQuietly gives each event once to a system where nothing goes wrong.
func (s *eventStorm) foldQuietly() {
	s.Helper()
	okqd, client := s.startOkqd()
	hooks := s.startHooks(okqd)
	s.relay.replay(s.T, "http://"+hooks.Addr+"/")
	worker := s.startWorker(okqd, job.QueueStats, s.quiet)
	process.Eventually(s.T, 5*time.Minute, "all events folded", func() bool { return s.left(client, job.QueueStats) == 0 })
	if code := worker.Stop(); code != 0 {
		s.Fatalf("pm-worker: exit %d", code)
	}
}

func (s *eventStorm) compare(took time.Duration) {
	s.Helper()
	got, want := s.stormy.documents(s.T), s.quiet.documents(s.T)
	differ := 0
	for key, doc := range want {
		if got[key] != doc {
			if differ++; differ <= 3 {
				s.Errorf("%s is\n%s, want\n%s", key, got[key], doc)
			}
		}
	}
	c := s.sendgrid.Counters().Webhook
	posts, failed := s.relay.counts()
	s.Logf("seed %d: %d mails, %d events %d times each in %v; %d POSTs, %d of them refused or cut off and sent again; pm-hooks killed %d times, okqd %d times; %d documents, %d differ",
		s.seed, s.mails, c.Events, copies, took.Round(time.Second), posts, failed, s.hookKills, s.okKills, len(want), differ)
	if len(got) != len(want) || differ > 0 {
		s.Errorf("%d documents, of which %d differ; want %d", len(got), differ, len(want))
	}
	if c.Lost > 0 || int(c.Events) != len(s.relay.order) || len(want) < s.mails || failed == 0 {
		s.Errorf("the run shows nothing: %+v, %d events passed on, %d documents, %d POSTs failed", c, len(s.relay.order), len(want), failed)
	}
}
