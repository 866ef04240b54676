package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// drain has a worker send n mails of 1 KiB.
func (b *bench) drain(ctx context.Context, n int, latency time.Duration) error {
	mails := make([]*job.Email, n)
	events := make([]okq.Event, n)
	for i := range mails {
		e := &job.Email{
			ID: job.NewID(), To: fmt.Sprintf("user%d@example.com", i), From: "shop@example.org", Subject: "Hello",
			HTML: "<p>" + strings.Repeat("0123456789abcdef", 60) + "</p>", Flags: 2, UniqueID: "bench",
		}
		contents, err := e.Encode()
		if err != nil {
			return err
		}
		mails[i], events[i] = e, okq.Event{Queue: e.Queue(), ID: string(e.ID), Contents: contents}
		b.sent = append(b.sent, string(e.ID))
	}
	if err := errors.Join(b.okq.PushAll(ctx, events)...); err != nil {
		return err
	}
	b.sendgrid.Reset(latency)
	idle, err := b.worker(job.QueueStats) // what a worker costs that sends nothing
	if err != nil {
		return err
	}
	base := idle.CPUTotal()
	w, err := b.worker(job.QueueEmailNormal)
	if err != nil {
		return err
	}
	if err := b.emptied(ctx, job.QueueEmailNormal); err != nil {
		return err
	}
	cpu := w.CPUTotal() - base
	rate := b.sendgrid.Rate()
	fmt.Printf("drain, SendGrid after %4v: %6.0f mails/s, %d in flight, %4.0f µs CPU per mail, %d posts for %d mails\n",
		latency, rate, b.inFlight, float64(cpu.Microseconds())/float64(n), b.sendgrid.Taken(), n)
	if latency > 0 {
		return nil
	}
	b.sendgrid.Reset(latency)
	if err := b.postOnly(ctx, mails); err != nil {
		return err
	}
	fmt.Printf("a loop that only posts them: %6.0f mails/s; pm-worker has %.2f of it\n", b.sendgrid.Rate(), rate/b.sendgrid.Rate())
	return nil
}

// postOnly posts the same mails through the same transport, from as many goroutines.
func (b *bench) postOnly(ctx context.Context, mails []*job.Email) error {
	client := sendgrid.New(sendgrid.Config{Key: "SG.bench", URL: b.sendgrid.URL}, "bench", b.inFlight)
	defer client.Close()
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range b.inFlight {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(mails)) || ctx.Err() != nil {
					return
				}
				if r := client.Send(ctx, mails[i]); r.Outcome != sendgrid.Accepted {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d posts failed", n)
	}
	return nil
}

// fold has a worker fold n events about the mails that were sent, 1,000 to a batch.
func (b *bench) fold(ctx context.Context, n int) error {
	types := []string{job.EventProcessed, job.EventDelivered, job.EventOpen, job.EventClick}
	const each = 1000
	var events []okq.Event
	for i := 0; i < n; i += each {
		var batch strings.Builder
		for j := range each {
			k := i + j
			sep := byte(',')
			if j == 0 {
				sep = '['
			}
			batch.WriteByte(sep)
			fmt.Fprintf(&batch, `{"event":%q,"email":"user@example.com","timestamp":%d,"pmStatsID":%q,"pmEnvID":"dev","sg_event_id":"e%d","sg_message_id":"m%d.recvd","ip":"127.0.0.1","useragent":"Mozilla/5.0"}`,
				types[k/len(b.sent)%len(types)], time.Now().Unix(), b.sent[k%len(b.sent)], k, k)
		}
		batch.WriteByte(']')
		events = append(events, okq.Event{Queue: job.QueueStats, ID: string(job.NewID()), Contents: []byte(batch.String())})
	}
	if err := errors.Join(b.okq.PushAll(ctx, events)...); err != nil {
		return err
	}
	start := time.Now()
	w, err := b.worker(job.QueueStats)
	if err != nil {
		return err
	}
	if err := b.emptied(ctx, job.QueueStats); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("fold: %6.0f events/s, %3.1f µs CPU each (from the start of the process on)\n", float64(n)/took.Seconds(),
		float64(w.CPUTotal().Microseconds())/float64(n))
	return nil
}

// emptied waits until nothing of a queue is left.
func (b *bench) emptied(ctx context.Context, queue string) error {
	for {
		statuses, err := b.okq.Status(ctx, queue)
		if err != nil {
			return err
		}
		if len(statuses) == 0 || statuses[0].Total == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}
