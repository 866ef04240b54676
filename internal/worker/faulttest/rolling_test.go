package faulttest

import (
	"bytes"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
)

// TestHeavyRollingRestart restarts ten workers, one after the other and twice, while mails keep coming: each is sent
// once, and none is of unknown outcome.
func TestHeavyRollingRestart(t *testing.T) {
	testenv.Heavy(t)
	dir := build(t, "okqd", "pm-worker", "pm-hooks")
	r := &run{T: t, mails: number(t, "PM_ROLLING_MAILS", 4000) / 20, unknown: job.OnUnknownHold, resent: map[string]int{}}
	r.setUp(dir, startOkqd(t, dir, "--data-dir", filepath.Join(t.TempDir(), "okq")))
	slow := faults.Always(faults.Latency)
	slow.Delay, slow.Jitter = faults.Duration(20*time.Millisecond), faults.Duration(100*time.Millisecond)
	if err := r.sendgrid.SetFaults(slow); err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(r.worker.args), "--send-timeout", "20s", "--drain-wait", "30s", "--lease", "40s")
	workers := make([]*process, 10)
	for i := range workers {
		workers[i] = newProcess(t, dir, "pm-worker", args...)
		workers[i].startWorker()
	}
	busy := 0
	for range 2 {
		for _, w := range workers {
			r.enqueue()
			if r.left() > 0 {
				busy++
			}
			w.terminate()
			w.startWorker()
		}
	}
	for r.left() > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	for _, id := range r.ids {
		if n := r.sendgrid.Accepted(id); n != 1 {
			t.Errorf("mail %s was sent %d times", id, n)
		}
	}
	if letters := r.deadLetters(); len(letters) > 0 {
		t.Errorf("dead letters %v", letters)
	}
	if posts := r.sendgrid.Counters().Requests; posts != int64(len(r.ids)) {
		t.Errorf("%d posts of %d mails", posts, len(r.ids))
	}
	t.Logf("%d mails through 10 workers, 20 restarts, %d of them with jobs waiting", len(r.ids), busy)
}

// startWorker starts a worker and waits until it consumes, as whoever restarts one after the other does.
func (p *process) startWorker() {
	p.t.Helper()
	consuming := make(chan struct{})
	once := sync.OnceFunc(func() { close(consuming) })
	p.line = func(line []byte) {
		if bytes.Contains(line, []byte(`"message":"consuming"`)) {
			once()
		}
	}
	p.start()
	select {
	case <-consuming:
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%s does not consume", p.path)
	}
}

// terminate is SIGTERM, and waits for the process to end as it should.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	p.read.Wait()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s did not stop well: %v", p.path, err)
	}
	p.cmd = nil
}
