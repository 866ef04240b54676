package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	callerCount = 48
	callTimeout = 5 * time.Second
	keyedTries  = 40 // at most 5 s each, and a pause
)

// recipients are those whose events are all of SendGrid's kinds; see docs/sandbox.md.
var recipients = [...]string{"alex", "noopen", "bounce", "block", "drop", "defer", "spam", "unsub", "click"}

// callers enqueue mails at a rate until ctx ends.
type callers struct {
	apis   []*client.Client
	rate   float64
	dice   *rand.Rand
	ledger *ledger
	made   int
}

func newCallers(addrs []string, rate float64, seed uint64, l *ledger) *callers {
	c := &callers{rate: rate, dice: rand.New(rand.NewPCG(seed, 2)), ledger: l}
	for _, addr := range addrs {
		h := &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: callerCount}}
		c.apis = append(c.apis, client.New("http://"+addr+"/", client.HTTP(h)))
	}
	return c
}

// run paces the callers. When all of them wait for answers the mails that are due are left out, as people would.
func (c *callers) run(ctx context.Context) {
	due := make(chan *job.Email)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(due)
	for i := range callerCount {
		wg.Go(func() {
			for e := range due {
				c.call(ctx, c.apis[i%len(c.apis)], e)
			}
		})
	}
	pace := time.NewTicker(time.Duration(float64(time.Second) / c.rate))
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		select {
		case due <- c.next():
		default:
			c.ledger.skip()
		}
	}
}

// next is a mail of about 1 KiB. One in three is to be held if its outcome is unknown, one in four has an
// idempotencyKey, one in ten is urgent, one in twenty is for later.
func (c *callers) next() *job.Email {
	c.made++
	e := &job.Email{
		To: fmt.Sprintf("%s+%d@example.com", recipients[c.dice.IntN(len(recipients))], c.made), From: "shop@example.org",
		Subject: "Your order", HTML: "<p>" + strings.Repeat("0123456789abcdef", 50) + "</p>", Flags: 2, UniqueID: fmt.Sprintf("chaos-%d", c.made),
	}
	if c.dice.IntN(3) == 0 {
		e.OnUnknown = job.OnUnknownHold
	}
	if c.dice.IntN(4) == 0 {
		e.IdempotencyKey = e.UniqueID
	}
	if c.dice.IntN(10) == 0 {
		e.Priority = job.PriorityHigh
	}
	if c.dice.IntN(20) == 0 {
		e.SendAt = time.Now().Add(time.Duration(c.dice.IntN(10)) * time.Second).Unix()
	}
	return e
}

// call enqueues e, again and again if it has a key. A call that ctx cuts off is not counted.
func (c *callers) call(ctx context.Context, api *client.Client, e *job.Email) {
	m := mail{uniqueID: e.UniqueID, to: e.To, hold: e.OnUnknown == job.OnUnknownHold, keyed: e.IdempotencyKey != ""}
	tries := 1
	if m.keyed {
		tries = keyedTries
	}
	for ; tries > 0; tries-- {
		id, err := api.Enqueue(context.WithoutCancel(ctx), e)
		if err == nil {
			c.ledger.acknowledge(id, m)
			return
		}
		c.ledger.refuse()
		if ctx.Err() != nil {
			return
		}
		sleep(ctx, 500*time.Millisecond)
	}
}
