package cases

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// Emails that are requeued and die again at once, requeued by an operator 100 ms away. At any moment each is a letter or
// a job, and a letter in the end.
func TestCase23RequeueOfEmailsThatDieAgainAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("Local", func(t *testing.T) {
		t.Parallel()
		dieAgain(newRig(t), true)
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		dieAgain(newRig(t, "--redis-addr", testenv.StartRedis(t).Addr), false)
	})
}

// dieAgain requeues emails. atOnce: okqd counts the events of both queues at one moment, so that none may seem to lack.
func dieAgain(r *rig, atOnce bool) {
	t := r.t
	r.startAPI()
	r.startWorker()
	client := r.queue()
	if err := r.sendgrid.SetFaults(faults.Rule{Fault: faults.Latency, Delay: faults.Duration(30 * time.Millisecond), Probability: 1}, faults.Always(faults.BadRequest)); err != nil {
		t.Fatal(err)
	}
	const emails = 10
	ids := make([]string, emails)
	for i := range ids {
		ids[i] = r.enqueue(fmt.Sprintf("u%d@example.com", i), "")
	}
	settled := func() bool {
		totals := r.totals(client, emailQueues...)
		return totals[0] == 0 && totals[1] == emails
	}
	eventually(t, time.Minute, "all are dead", settled)
	w := r.watch(client, emailQueues...)
	said := r.dead(farAway(t, r.okqd.Addr, 50*time.Millisecond), append([]string{"requeue", "--all", "--yes"}, r.store()...)...)
	eventually(t, time.Minute, "no job is left", func() bool { return r.totals(client, job.QueueEmailNormal)[0] == 0 })
	left, fewest := r.letters(client, job.QueueEmailDead), w.fewest()
	if !atOnce {
		fewest = len(left)
	}
	r.came("%d requeued; letters left: %d of %d, never fewer than %d letters and jobs", strings.Count(said, " requeued\n"), len(left), emails, fewest)
	if len(left) != emails || fewest < emails {
		t.Errorf("letters %v; dead requeue said\n%s", left, said)
	}
	for _, id := range ids {
		shown := r.dead(r.okqd.Addr, "show", id, "--json")
		if !strings.Contains(shown, `"deaths":2`) || !strings.Contains(shown, id) {
			t.Errorf("dead show %s: %s", id, shown)
		}
	}
	show := process.Command("postmaster", append([]string{"email", "show", ids[0], "--okq-addr", r.okqd.Addr}, r.store()...)...)
	if shown, err := show.CombinedOutput(); err != nil || !strings.Contains(string(shown), "email-dead, ready") {
		t.Errorf("email show: %v %s", err, shown)
	}
}

// The same with jobs and batches of events that nobody can read, as fast as one machine is.
func TestCase23RequeueOfWhatNobodyCanRead(t *testing.T) {
	t.Parallel()
	for queue, dead := range map[string]string{job.QueueEmailNormal: job.QueueEmailDead, job.QueueStats: job.QueueStatsDead} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.startWorker()
			client := r.queue()
			const jobs = 100
			for i := range jobs {
				if err := client.Push(t.Context(), okq.Event{Queue: queue, ID: fmt.Sprintf("bad-%d", i), Contents: []byte(fmt.Sprintf("notjson%d", i))}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, time.Minute, "all are dead", func() bool { return r.totals(client, dead)[0] == jobs && r.totals(client, queue)[0] == 0 })
			w := r.watch(client, queue, dead)
			for range 3 {
				r.dead(r.okqd.Addr, append([]string{"requeue", "--queue", dead, "--all", "--yes"}, r.store()...)...)
				eventually(t, time.Minute, "no job is left", func() bool { return r.totals(client, queue)[0] == 0 })
			}
			left, fewest := r.totals(client, dead)[0], w.fewest()
			r.came("letters left: %d of %d, never fewer than %d letters and jobs", left, jobs, fewest)
			if left != jobs || fewest != jobs {
				t.Errorf("%d letters", left)
			}
		})
	}
}

// Operators who requeue and drop the same letters at once, some from far away. Of each letter one of them is right: what
// was dropped is not sent, and what was requeued is.
func TestCase23OperatorsWhoRequeueAndDropAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker()
	client := r.queue()
	if err := r.sendgrid.SetFaults(faults.Always(faults.BadRequest)); err != nil {
		t.Fatal(err)
	}
	const emails = 30
	ids := make([]string, emails)
	for i := range ids {
		ids[i] = r.enqueue(fmt.Sprintf("u%d@example.com", i), "")
	}
	eventually(t, time.Minute, "all are dead", func() bool {
		return r.totals(client, job.QueueEmailDead)[0] == emails && r.totals(client, job.QueueEmailNormal)[0] == 0
	})
	if err := r.sendgrid.SetFaults(); err != nil {
		t.Fatal(err)
	}
	far := farAway(t, r.okqd.Addr, 10*time.Millisecond)
	requeue := append([]string{"requeue", "--all", "--yes"}, r.store()...)
	drop := []string{"drop", "--all", "--yes"} // which is faster, and overtakes
	said := make(chan string, 4)
	for i, args := range [][]string{requeue, requeue, drop, drop} {
		if i == 2 {
			eventually(t, time.Minute, "some are requeued", func() bool { return r.totals(client, job.QueueEmailDead)[0] <= emails-5 })
		}
		go func() { said <- r.dead(far, args...) }()
	}
	requeued, dropped := map[string]int{}, map[string]int{}
	for range cap(said) {
		for line := range strings.Lines(<-said) {
			id, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch what {
			case "requeued":
				requeued[id]++
			case "dropped":
				dropped[id]++
			}
		}
	}
	eventually(t, time.Minute, "no job is left", func() bool { return r.totals(client, job.QueueEmailNormal)[0] == 0 })
	wrong, sent := 0, 0
	for _, id := range ids {
		accepted := r.sendgrid.Accepted(id)
		sent += accepted
		if requeued[id]+dropped[id] != 1 || accepted != requeued[id] {
			wrong++
			t.Errorf("%s: requeued %d times, dropped %d times, sent %d times", id, requeued[id], dropped[id], accepted)
		}
	}
	r.came("of %d letters %d requeued, %d dropped, %d sent; wrong: %d", emails, len(requeued), len(dropped), sent, wrong)
}

// okqd and the worker are killed again and again while an operator requeues emails that die at once.
func TestCase23KillsWhileRequeueing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--lease", "3s", "--send-timeout", "2s", "--drain-wait", "3s", "--evidence-wait", "2s")
	client := r.queue()
	if err := r.sendgrid.SetFaults(faults.Always(faults.BadRequest)); err != nil {
		t.Fatal(err)
	}
	const emails, rounds = 30, 8
	for i := range emails {
		r.enqueue(fmt.Sprintf("u%d@example.com", i), "")
	}
	done := func() bool {
		rows, err := client.Status(t.Context(), job.QueueEmailNormal)
		return err == nil && rows[0].Total == 0
	}
	eventually(t, time.Minute, "all are dead", done)
	for i := range rounds {
		requeued := make(chan string, 1)
		go func() {
			requeued <- r.dead(r.okqd.Addr, append([]string{"requeue", "--all", "--yes"}, r.store()...)...)
		}()
		time.Sleep(time.Duration(100+40*i) * time.Millisecond) // sooner or later after its start
		victim := r.okqd
		if i%2 == 1 {
			victim = r.worker
		}
		victim.Kill()
		again(victim)
		<-requeued
		eventually(t, time.Minute, "no job is left", done)
	}
	left := map[string]int{}
	for _, id := range r.letters(client, job.QueueEmailDead) {
		left[job.EmailID(id)]++
	}
	r.came("after %d kills: letters of %d of %d emails", rounds, len(left), emails)
	for id, n := range left {
		if n != 1 {
			t.Errorf("%s has %d letters", id, n)
		}
	}
	if len(left) != emails {
		t.Errorf("letters of %d emails, want %d", len(left), emails)
	}
}
