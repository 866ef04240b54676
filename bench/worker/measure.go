package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
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
	database, err := b.databaseCPU(w, func() error { return b.emptied(ctx, job.QueueEmailNormal) })
	if err != nil {
		return err
	}
	cpu := w.CPUTotal() - base
	rate := b.sendgrid.Rate()
	fmt.Printf("drain, SendGrid after %4v: %6.0f mails/s, %d in flight, %4.0f µs CPU per mail, %d posts for %d mails\n",
		latency, rate, b.inFlight, float64(cpu.Microseconds())/float64(n), b.sendgrid.Taken(), n)
	if err := plot(latency, rate, b.inFlight); err != nil {
		return err
	}
	if latency == 50*time.Millisecond {
		err := report.Add(report.Line{
			What: fmt.Sprintf("drain through pm-worker, SendGrid after %v, %d in flight, ledger in MongoDB", latency, b.inFlight), Value: fmt.Sprintf("%.0f mails/s", rate),
			Target: ">= 4,000", Met: rate >= 4000, Why: "posts leave and return in bursts, as the ledger is written in groups, and the database works on the same cores; see docs/performance.md",
		})
		if err != nil {
			return err
		}
	}
	if latency > 0 {
		return nil
	}
	b.sendgrid.Reset(latency)
	if err := b.postOnly(ctx, mails); err != nil {
		return err
	}
	ratio := rate / b.sendgrid.Rate()
	if err := addCosts(n, report.CostWorker, cpu, report.CostDatabase, database); err != nil {
		return err
	}
	fmt.Printf("a loop that only posts them: %6.0f mails/s; pm-worker has %.2f of it\n", b.sendgrid.Rate(), ratio)
	return report.Add(report.Line{
		What: "drain through pm-worker, SendGrid at once, ledger in MongoDB", Value: fmt.Sprintf("%.0f mails/s", rate),
		Against: fmt.Sprintf("a loop that only posts: %.0f mails/s", b.sendgrid.Rate()), Ratio: fmt.Sprintf("%.2f", ratio), Target: ">= 0.5", Met: ratio >= 0.5,
		Why: "half of a mail's CPU is the database's, on the same cores, and the ledger is two writes a mail; see docs/performance.md",
	})
}

// plot has a point for the rate, and one for what so many in flight allow.
func plot(latency time.Duration, rate float64, inFlight int) error {
	ms := float64(latency.Milliseconds())
	if latency > 0 {
		if err := report.AddPoint(report.PlotSendGrid, "in flight / latency", ms, float64(inFlight)/latency.Seconds()); err != nil {
			return err
		}
	}
	return report.AddPoint(report.PlotSendGrid, "pm-worker", ms, rate)
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
	database, err := b.databaseCPU(w, func() error { return b.emptied(ctx, job.QueueStats) })
	if err != nil {
		return err
	}
	took := time.Since(start)
	rate := float64(n) / took.Seconds()
	err = report.Add(report.Line{
		What: "fold through pm-worker into MongoDB", Value: fmt.Sprintf("%.0f events/s", rate), Target: ">= 20,000", Met: rate >= 20_000, Why: report.Noise,
	})
	if err != nil {
		return err
	}
	cpu := w.CPUTotal()
	fmt.Printf("fold: %6.0f events/s, %3.1f µs CPU each (from the start of the process on)\n", rate, float64(cpu.Microseconds())/float64(n))
	return addCosts(n, report.CostFold, cpu, report.CostDatabaseFold, database)
}

// databaseCPU is what the database used while a worker did something.
func (b *bench) databaseCPU(w *process.Process, do func() error) (time.Duration, error) {
	s, err := newStretch(func() (time.Duration, error) {
		okqd, err := b.okqd.CPU()
		if err != nil {
			return 0, err
		}
		worker, err := w.CPU()
		return okqd + worker, err
	})
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	return s.rest()
}

// addCosts has what n mails or events cost the worker and the database.
func addCosts(n int, ofWorker string, worker time.Duration, ofDatabase string, database time.Duration) error {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	fmt.Printf("CPU of the database: %.0f µs each\n", each(database))
	if err := report.AddCost(ofWorker, each(worker)); err != nil {
		return err
	}
	return report.AddCost(ofDatabase, each(database))
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
