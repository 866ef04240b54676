package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// TestHeavyKilledPMAPISendsEachKeyOnce: callers enqueue mails, each under a key of its own and until it hears success, while
// pm-api is killed over and over. SendGrid gets each mail once, under the ID that its caller heard.
func TestHeavyKilledPMAPISendsEachKeyOnce(t *testing.T) {
	testenv.Heavy(t)
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			c := &callers{system: startSystem(t, open(t).flags()...), ids: make([]job.ID, 10_000)}
			c.enqueueWhileKilled(10)
			c.sentOnce()
		})
	}
}

// callers are those of pm-api, who each have one mail at a time to enqueue.
type callers struct {
	*system
	ids   []job.ID // by mail
	calls atomic.Int64
}

func (c *callers) enqueueWhileKilled(kills int) {
	c.api.Args = append(c.api.Args, "--listen-addr", c.api.Addr) // the same again after a kill
	api := client.New("http://" + c.api.Addr + "/")
	mails, done := make(chan int), make(chan struct{})
	go func() {
		defer close(done)
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for n := range mails {
					c.enqueueUntilHeard(api, n)
				}
			})
		}
		for n := range c.ids {
			mails <- n
		}
		close(mails)
		all.Wait()
	}()
	for k := range kills {
		atLeast := int64((k + 1) * len(c.ids) / (kills + 1))
		process.Eventually(c.t, time.Minute, "calls between two kills", func() bool { return c.calls.Load() >= atLeast })
		c.api.Kill()
		c.api.Run(2)
	}
	<-done
	c.t.Logf("%d mails in %d calls, pm-api killed %d times", len(c.ids), c.calls.Load(), kills)
	if c.calls.Load() == int64(len(c.ids)) {
		c.t.Error("no call was made twice, so nothing was shown")
	}
}

func (c *callers) enqueueUntilHeard(api *client.Client, n int) {
	mail := &job.Email{To: "alex@example.com", From: "shop@example.org", Subject: "Hello", Text: "It works.", IdempotencyKey: fmt.Sprint("key-", n)}
	for c.t.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		id, err := api.Enqueue(ctx, mail)
		cancel()
		c.calls.Add(1)
		if err == nil {
			c.ids[n] = id
			return
		}
		time.Sleep(10 * time.Millisecond) // until it runs again
	}
}

// sentOnce waits until SendGrid has every mail, then until nothing is queued, and counts.
func (c *callers) sentOnce() {
	c.t.Helper()
	heard := map[string]bool{}
	for _, id := range c.ids {
		heard[string(id)] = true
	}
	if len(heard) != len(c.ids) {
		c.t.Errorf("%d IDs for %d keys", len(heard), len(c.ids))
	}
	accepted := map[string]int{}
	process.Eventually(c.t, 3*time.Minute, "every mail at SendGrid", func() bool {
		for id, a := range c.sendgrid.AllAccepted() {
			accepted[id] = a.Count
		}
		return len(accepted) >= len(heard)
	})
	queue, err := okq.New(okq.Options{Addrs: []string{c.okqd.Addr}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer queue.Close()
	process.Eventually(c.t, time.Minute, "nothing is queued", func() bool {
		statuses, err := queue.Status(c.t.Context(), job.QueueEmailNormal)
		return err == nil && statuses[0].Total == 0
	})
	for id, a := range c.sendgrid.AllAccepted() {
		if a.Count != 1 || !heard[id] {
			c.t.Errorf("SendGrid accepted %s %d times; a caller heard of it: %v", id, a.Count, heard[id])
		}
	}
	c.t.Logf("SendGrid accepted %d mails", len(accepted))
}
