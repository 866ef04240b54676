package redis

import (
	"container/list"
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// tickEvery is how often queues that are waited for are looked at: it is what ends leases and delays for those who
	// wait, and finds what a wake-up that was lost would have told.
	tickEvery = 300 * time.Millisecond
	// countsFor is how long a consumer counts whose okqd is not heard of any more.
	countsFor = 30 * time.Second
)

// wakes knows this okqd's consumers, and wakes those that wait: one at a time for each queue, so that they do not all
// rush for the same event.
type wakes struct {
	e    *Engine
	okqd string // this process

	mu        sync.Mutex // protects the fields below
	consumers map[string][]string
	last      uint64
	waiting   map[string]*list.List // of *waiter, by queue, the longest waiting first
}

func newWakes(e *Engine) *wakes {
	return &wakes{e: e, okqd: rand.Text(), consumers: make(map[string][]string), waiting: make(map[string]*list.List)}
}

func (w *wakes) newName() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	return w.okqd + "/" + strconv.FormatUint(w.last, 10)
}

// registered notes which queues a consumer is to be counted for.
func (w *wakes) registered(name string, queues []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(queues) == 0 {
		delete(w.consumers, name)
		return
	}
	w.consumers[name] = queues
}

// A waiter is one consumer's wait, for all of its queues.
type waiter struct {
	w      *wakes
	woken  chan struct{} // 1 buffered
	queues []string
	places []*list.Element // in waiting of queues; nil once woken
}

func (w *wakes) wait(queues []string) *waiter {
	waiter := &waiter{w: w, woken: make(chan struct{}, 1), queues: queues}
	waiter.again()
	return waiter
}

// again waits for the next time.
func (a *waiter) again() {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	for _, q := range a.queues {
		if a.w.waiting[q] == nil {
			a.w.waiting[q] = list.New()
		}
		a.places = append(a.places, a.w.waiting[q].PushBack(a))
	}
}

func (a *waiter) leave() {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.leaveLocked()
}

func (a *waiter) leaveLocked() {
	for i, place := range a.places {
		line := a.w.waiting[a.queues[i]]
		line.Remove(place)
		if line.Len() == 0 {
			delete(a.w.waiting, a.queues[i])
		}
	}
	a.places = nil
}

// wakeOne wakes the one that has waited longest for queue.
func (w *wakes) wakeOne(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := w.waiting[queue]
	if line == nil {
		return
	}
	first := line.Front().Value.(*waiter)
	first.leaveLocked()
	first.woken <- struct{}{}
}

// listen wakes when any okqd gave a queue its first event.
func (w *wakes) listen(ctx context.Context) {
	subscribe := w.e.client.B().Subscribe().Channel(wakeChannel).Build().Pin()
	for ctx.Err() == nil {
		err := w.e.client.Receive(ctx, subscribe, func(m rueidis.PubSubMessage) { w.wakeOne(m.Message) })
		if ctx.Err() == nil {
			w.e.log.Warn().Err(err).Msg("wake-ups are not heard, looking instead")
			sleep(ctx, time.Second)
		}
	}
}

// tick looks at the queues that are waited for.
func (w *wakes) tick(ctx context.Context) {
	for sleep(ctx, tickEvery) {
		queues := w.waitedFor()
		if len(queues) == 0 {
			continue
		}
		left, err := w.e.left(ctx, queues)
		if err != nil {
			continue // whoever waits finds out
		}
		for i, q := range queues {
			if left[i] > 0 {
				w.wakeOne(q)
			}
		}
	}
}

func (w *wakes) waitedFor() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	queues := make([]string, 0, len(w.waiting))
	for q := range w.waiting {
		queues = append(queues, q)
	}
	slices.Sort(queues)
	return queues
}

// beat keeps this okqd's consumers counted.
func (w *wakes) beat(ctx context.Context) {
	for sleep(ctx, countsFor/3) {
		var calls []call
		w.mu.Lock()
		for name, queues := range w.consumers {
			for _, q := range queues {
				calls = append(calls, joinCall(q, name))
			}
		}
		w.mu.Unlock()
		for some := range slices.Chunk(calls, maxRunOps) {
			if err := w.e.do(ctx, some); err != nil {
				w.e.log.Warn().Err(err).Msg("consumers are not counted")
				break
			}
		}
	}
}

// sleep returns false once ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
