package faulttest

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A run is one server's torment and what came of it.
type run struct {
	*testing.T
	seed    uint64
	rand    *rand.Rand
	mails   int
	unknown string

	server   server
	db       *proxy
	okq      *okq.Client
	sendgrid *sandbox.Sandbox
	worker   *process

	ids                      []string
	kills, restarts, outages int
	took                     time.Duration

	mu     sync.Mutex     // protects resent
	resent map[string]int // mails that the worker said it sends again without knowing, and how often
}

func (r *run) readLog(line []byte) {
	var fields struct {
		Message string
		JobID   string `json:"job_id"`
	}
	if json.Unmarshal(line, &fields) == nil && fields.Message == "outcome unknown, sending again" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.resent[fields.JobID]++
	}
}

// torment kills the worker every few seconds until the queue is empty, and takes okq and the database away twice each.
func (r *run) torment() {
	r.Helper()
	r.Logf("seed %d", r.seed)
	start := time.Now()
	r.worker.start()
	due := []func(){r.restartServer, r.cutDB, r.restartServer, r.cutDB}
	for n := 0; ; n++ {
		if time.Since(start) > limit {
			r.Fatalf("%d jobs are left after %v", r.left(), limit)
		}
		for until := time.Now().Add(3*time.Second + time.Duration(r.rand.Int64N(int64(3*time.Second)))); time.Now().Before(until); {
			if r.left() == 0 && len(due) == 0 {
				r.took = time.Since(start)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n%2 == 1 && len(due) > 0 {
			due[0]()
			due = due[1:]
		}
		if r.ready() > r.mails/100 { // the others wait, for evidence too, which takes a worker that lives as long
			r.worker.kill()
			r.kills++
			r.worker.start()
		}
	}
}

func (r *run) restartServer() {
	r.server.restart()
	r.restarts++
}

func (r *run) cutDB() {
	r.db.cut()
	time.Sleep(awayFor)
	r.db.mend()
	r.outages++
}

// left is how many mails' jobs there are; as many as there can be when okq does not say.
func (r *run) left() int {
	statuses, err := r.okq.Status(r.Context(), job.QueueEmailNormal)
	if err != nil || len(statuses) == 0 {
		return r.mails
	}
	return int(statuses[0].Total)
}

// ready is how many of them neither wait for a time to come nor are with a worker. On the original okq waiting is being leased.
func (r *run) ready() int {
	statuses, err := r.okq.Status(r.Context(), job.QueueEmailNormal)
	if err != nil || len(statuses) == 0 {
		return r.mails
	}
	return int(statuses[0].Total - statuses[0].Processing - statuses[0].Delayed)
}

// check counts. A mail is lost when SendGrid never took it and no dead letter tells of it.
func (r *run) check() {
	r.Helper()
	held := r.deadLetters()
	var sent, twice, lost, unexplained int
	for _, id := range r.ids {
		switch n := r.sendgrid.Accepted(id); {
		case n == 0 && held[id] == "":
			lost++
		case n > 1:
			twice++
			if r.resent[id] < n-1 {
				unexplained++
			}
			fallthrough
		case n == 1:
			sent++
		}
	}
	reasons := map[string]int{}
	for _, reason := range held {
		reasons[reason]++
	}
	c := r.sendgrid.Counters()
	r.Logf("seed %d, --unknown %s: %d mails in %v; worker killed %d times, okq restarted %d times, database cut off %d times",
		r.seed, r.unknown, r.mails, r.took.Round(time.Second), r.kills, r.restarts, r.outages)
	r.Logf("posts %d, faults %v, webhook %+v", c.Requests, c.Faults, c.Webhook)
	r.Logf("sent %d, twice %d, resent by policy %d, dead letters %v, lost %d", sent, twice, len(r.resent), reasons, lost)
	if lost > 0 {
		r.Errorf("%d mails are lost", lost)
	}
	if r.unknown == job.OnUnknownHold && twice > 0 {
		r.Errorf("%d mails were sent twice although unknown outcomes are held", twice)
	}
	if unexplained > 0 {
		r.Errorf("%d mails were sent twice without the worker's saying that their outcome is unknown", unexplained)
	}
	for reason, n := range reasons {
		if reason != job.ReasonUnknown {
			r.Errorf("%d dead letters: %s", n, reason)
		}
	}
}

// deadLetters empties the dead queue and returns each letter's reason.
func (r *run) deadLetters() map[string]string {
	r.Helper()
	held := map[string]string{}
	for {
		events, err := r.okq.Pop(r.Context(), job.QueueEmailDead, 1000, okq.NoLease)
		if err != nil {
			r.Fatal(err)
		}
		if len(events) == 0 {
			return held
		}
		for _, e := range events {
			letter, err := job.DecodeDeadLetter(e.Contents)
			if err != nil {
				r.Fatal(err)
			}
			held[e.ID] = letter.Reason
		}
	}
}
