package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// fold has a worker fold n events about the mails that were sent, 1,000 to a batch.
func (b *bench) fold(ctx context.Context, n int) error {
	types := []string{job.EventProcessed, job.EventDelivered, job.EventOpen, job.EventClick}
	const each = 1000
	var events []okq.Event
	for i := 0; i < n; i += each {
		var batch strings.Builder
		for j := range each {
			k := i + j
			id := b.sent[k%len(b.sent)]
			sep := byte(',')
			if j == 0 {
				sep = '['
			}
			batch.WriteByte(sep)
			fmt.Fprintf(&batch, `{"event":%q,"email":"user@example.com","timestamp":%d,"pmStatsID":%q,"pmEnvID":"production","pmFold":%q,"sg_event_id":"e%d","sg_message_id":"m%d.recvd","ip":"127.0.0.1","useragent":"Mozilla/5.0"}`,
				types[k/len(b.sent)%len(types)], time.Now().Unix(), id, (&job.Email{ID: job.ID(id), To: "user@example.com"}).Fold(), k, k)
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
