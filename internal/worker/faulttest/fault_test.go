package faulttest

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// The run's times. An unknown outcome is settled by SendGrid's event long before evidenceWait, if the event comes.
const (
	evidenceWait = 8 * time.Second
	awayFor      = 4 * time.Second
	limit        = 10 * time.Minute
)

// A server is an okq server that goes away and comes back with what it had acknowledged.
type server interface {
	address() string
	restart()
}

type okqd struct {
	*process
	addr string
}

func (o *okqd) address() string { return o.addr }

func (o *okqd) restart() {
	o.kill()
	time.Sleep(awayFor / 4)
	o.startServer()
}

func startOkqd(t *testing.T, dir string, engine ...string) server {
	args := append([]string{"--listen-addr", "127.0.0.1:0", "--ops-addr", ""}, engine...)
	p := newProcess(t, dir, "okqd", args...)
	o := &okqd{process: p, addr: p.startServer()}
	p.args[1] = o.addr
	return o
}

type original struct{ *okqtest.Original }

func (o original) address() string { return o.Addr() }

func (o original) restart() {
	o.Stop()
	time.Sleep(awayFor / 4)
	if err := o.Start(); err != nil {
		panic(err)
	}
}

func TestHeavyFaults(t *testing.T) {
	testenv.Heavy(t)
	dir := build(t, "okqd", "pm-worker", "pm-hooks")
	local := func(t *testing.T) server { return startOkqd(t, dir, "--data-dir", filepath.Join(t.TempDir(), "okq")) }
	redis := func(t *testing.T) server { return startOkqd(t, dir, "--redis-addr", testenv.StartRedis(t).Addr) }
	old := func(t *testing.T) server { return original{okqtest.RunOriginal(t)} }
	rows := []struct {
		name    string
		okq     func(*testing.T) server
		unknown string
		most    int // the original gives back 50 leases in 10 s, so that a kill costs it minutes
	}{
		{"local engine, hold", local, job.OnUnknownHold, 1_000_000},
		{"local engine, resend", local, job.OnUnknownResend, 1_000_000},
		{"redis engine, hold", redis, job.OnUnknownHold, 1_000_000},
		{"original okq, hold", old, job.OnUnknownHold, 500},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := &run{T: t, seed: seed(t), mails: min(number(t, "PM_FAULT_MAILS", 1000), row.most), unknown: row.unknown, resent: map[string]int{}}
			r.rand = rand.New(rand.NewPCG(r.seed, 0))
			r.setUp(dir, row.okq(t))
			r.enqueue()
			r.torment()
			r.check()
		})
	}
}

// seed is printed, and taken from PM_FAULT_SEED to repeat a run as far as the clocks let it.
func seed(t *testing.T) uint64 { return uint64(number(t, "PM_FAULT_SEED", int(rand.Uint32()))) }

func number(t *testing.T, name string, otherwise int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// setUp starts everything but the worker.
func (r *run) setUp(dir string, srv server) {
	r.Helper()
	r.server = srv
	var uri string
	r.db, uri = proxied(r.T, testenv.Mongo(r.T))
	client, err := okq.New(okq.Options{Addrs: []string{srv.address()}})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(client.Close)
	r.okq = client
	r.sendgrid = sandboxtest.RunT(r.T, sandboxtest.Delays(sandbox.Delays{
		Processed: time.Second, Delivered: 2 * time.Second, Open: 3 * time.Second,
	}))
	hooks := newProcess(r.T, dir, "pm-hooks", "--okq-addr", srv.address(), "--ops-addr", "", "--webhook-addr", "127.0.0.1:0",
		"--webhook-public-key", r.sendgrid.PublicKey(), "--accept-env", "fault")
	if err := r.sendgrid.SetWebhookURL("http://" + hooks.startServer() + "/"); err != nil {
		r.Fatal(err)
	}
	r.worker = newProcess(r.T, dir, "pm-worker", "--okq-addr", srv.address(), "--ops-addr", "", "--mongo-addr", uri,
		"--sendgrid-key", "SG.fault", "--sendgrid-url", r.sendgrid.URL(), "--environment", "fault", "--concurrency", "64",
		"--unknown", r.unknown, "--evidence-wait", evidenceWait.String(), "--max-attempts", "50",
		"--send-timeout", "2s", "--drain-wait", "3s", "--lease", "4s")
	r.worker.line = r.readLog
	if err := r.sendgrid.SetFaults(menu()...); err != nil {
		r.Fatal(err)
	}
}

// menu is what SendGrid does to the mails.
func menu() []faults.Rule {
	slow := faults.Sometimes(faults.Latency, .5)
	slow.Jitter = faults.Duration(100 * time.Millisecond)
	tooMany := faults.Sometimes(faults.TooMany, .0005)
	tooMany.ResetAfter = faults.Duration(time.Second)
	page := faults.Sometimes(faults.BadGateway, .003)
	page.HTML = true
	return []faults.Rule{
		slow, tooMany, page,
		faults.Sometimes(faults.ServerError, .005), faults.Sometimes(faults.Unavailable, .02), faults.Sometimes(faults.GatewayTime, .003),
		faults.Sometimes(faults.Hang, .001), faults.Sometimes(faults.Reset, .01), faults.Sometimes(faults.Garbage, .002),
		faults.Sometimes(faults.AcceptReset, .01), faults.Sometimes(faults.AcceptHang, .001), faults.Sometimes(faults.AcceptError, .005),
	}
}

func (r *run) enqueue() {
	r.Helper()
	var events []okq.Event
	for range r.mails {
		e := &job.Email{ID: job.NewID(), To: "noopen@example.com", From: "shop@example.org", Subject: "Hello", Text: "It works."}
		contents, err := e.Encode()
		if err != nil {
			r.Fatal(err)
		}
		r.ids = append(r.ids, string(e.ID))
		events = append(events, okq.Event{Queue: job.QueueEmailNormal, ID: string(e.ID), Contents: contents})
	}
	if err := errors.Join(r.okq.PushAll(r.Context(), events)...); err != nil {
		r.Fatal(err)
	}
}
