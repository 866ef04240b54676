package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// A turn is what one drain did.
type turn struct {
	rate          float64 // mails a second
	cpu, database time.Duration
	postOnly      float64 // of a loop that only posts the same mails, right after it; 0: not measured
}

// drain has a worker send mails of 1 KiB, several times.
func (b *bench) drain(ctx context.Context, n, turns int, latency time.Duration) error {
	var all []turn
	for range turns {
		t, err := b.drainOnce(ctx, n, latency)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b turn) int { return cmp.Compare(a.rate, b.rate) })
	t := all[turns/2]
	fmt.Printf("drain, SendGrid after %4v: %6.0f mails/s (%.0f to %.0f), %d in flight, %4.0f µs CPU per mail, %4.0f µs of the database\n",
		latency, t.rate, all[0].rate, all[turns-1].rate, b.inFlight, float64(t.cpu.Microseconds())/float64(n), float64(t.database.Microseconds())/float64(n))
	if err := plot(latency, t.rate, b.inFlight); err != nil {
		return err
	}
	if latency == 50*time.Millisecond {
		return report.Add(report.Line{
			What:  fmt.Sprintf("drain through pm-worker, SendGrid after %v, %d in flight, ledger in MongoDB", latency, b.inFlight),
			Value: fmt.Sprintf("%.0f mails/s (%.0f to %.0f)", t.rate, all[0].rate, all[turns-1].rate), Target: ">= 4,000", Met: t.rate >= 4000,
			Why: "posts leave and return in bursts, as the ledger is written in groups, and the database works on the same cores; see docs/performance.md",
		})
	}
	if latency > 0 {
		return nil
	}
	if err := addCosts(n, report.CostWorker, t.cpu, report.CostDatabase, t.database); err != nil {
		return err
	}
	var ratios []float64
	for _, t := range all {
		ratios = append(ratios, t.rate/t.postOnly)
	}
	ratio, spread := report.Spread(ratios)
	fmt.Printf("a loop that only posts them: %6.0f mails/s; pm-worker has %s of it\n", t.postOnly, spread)
	return report.Add(report.Line{
		What: "drain through pm-worker, SendGrid at once, ledger in MongoDB", Value: fmt.Sprintf("%.0f mails/s", t.rate),
		Against: fmt.Sprintf("a loop that only posts: %.0f mails/s", t.postOnly), Ratio: spread, Target: ">= 0.5", Met: ratio >= 0.5,
		Why: "half of a mail's CPU is the database's, on the same cores, and the ledger is two writes a mail; see docs/performance.md",
	})
}

func (b *bench) drainOnce(ctx context.Context, n int, latency time.Duration) (t turn, err error) {
	mails, err := b.enqueue(ctx, n)
	if err != nil {
		return t, err
	}
	b.sendgrid.Reset(latency)
	idle, err := b.worker(job.QueueStats) // what a worker costs that sends nothing
	if err != nil {
		return t, err
	}
	base := idle.CPUTotal()
	w, err := b.worker(job.QueueEmailNormal)
	if err != nil {
		return t, err
	}
	if t.database, err = b.databaseCPU(w, func() error { return b.emptied(ctx, job.QueueEmailNormal) }); err != nil {
		return t, err
	}
	t.cpu = w.CPUTotal() - base
	t.rate = b.sendgrid.Rate()
	if taken := b.sendgrid.Taken(); taken != int64(n) {
		return t, fmt.Errorf("%d posts for %d mails", taken, n)
	}
	if latency == 0 {
		b.sendgrid.Reset(latency)
		err = b.postOnly(ctx, mails)
		t.postOnly = b.sendgrid.Rate()
	}
	return t, err
}

// enqueue queues n mails.
func (b *bench) enqueue(ctx context.Context, n int) ([]*job.Email, error) {
	mails := make([]*job.Email, n)
	events := make([]okq.Event, n)
	for i := range mails {
		e := &job.Email{
			ID: job.NewID(), To: fmt.Sprintf("user%d@example.com", i), From: "shop@example.org", Subject: "Hello",
			HTML: "<p>" + strings.Repeat("0123456789abcdef", 60) + "</p>", Flags: 2, UniqueID: "bench",
		}
		contents, err := e.Encode()
		if err != nil {
			return nil, err
		}
		mails[i], events[i] = e, okq.Event{Queue: e.Queue(), ID: string(e.ID), Contents: contents}
		b.sent = append(b.sent, string(e.ID))
	}
	return mails, errors.Join(b.okq.PushAll(ctx, events)...)
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
