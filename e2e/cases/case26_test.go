package cases

import (
	"fmt"
	"testing"
	"time"
)

// Emails wait in a worker for seconds, and meanwhile recipients opt out, emails expire and one of high priority comes.
func TestCase26WhatAWorkerHoldsIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	const backlog, some, latency = 160, 20, 2 * time.Second
	r := newRig(t)
	r.startAPI()
	r.answers(latency)
	address := func(n int) string { return fmt.Sprintf("u%d@example.com", n) }
	r.enqueueMany(backlog-2*some, address, `,"flags":4`)
	opted := r.enqueueMany(some, func(n int) string { return "out-" + address(n) }, `,"flags":4`)
	expires := time.Now().Unix() + 4
	late := r.enqueueMany(some, func(n int) string { return "late-" + address(n) }, fmt.Sprintf(`,"sendBefore":%d`, expires))
	r.startWorker("--concurrency", "16")
	eventually(t, time.Minute, "the backlog is being sent", func() bool { return r.sendgrid.Counters().Accepted > 0 })
	for n := range some {
		var result struct{ Success bool }
		r.result("UpdatePrefs", `{"email":"out-`+address(n)+`","flags":4}`, &result)
	}
	began := time.Now()
	took := r.reaches(r.enqueue("urgent@example.com", `,"priority":"high"`), began)
	eventually(t, 2*time.Minute, "the backlog is done with", func() bool {
		return r.state(opted[some-1]) != "queued" && r.state(late[some-1]) != "queued" && r.sendgrid.Counters().Accepted >= backlog-2*some+1
	})
	out, expired := 0, 0
	for n := range some {
		out += r.sendgrid.Accepted(opted[n])
		expired += r.sendgrid.Accepted(late[n])
	}
	r.came("sent after their opt-out %d of %d, after sendBefore %d of %d; high priority took %v", out, some, expired, some, took.Round(10*time.Millisecond))
	if out > 0 || expired > 0 {
		t.Errorf("%d emails were sent after an opt-out and %d after their sendBefore, want none", out, expired)
	}
	if limit := latency + 500*time.Millisecond; took > limit {
		t.Errorf("an email of high priority took %v, want at most %v", took, limit)
	}
}
