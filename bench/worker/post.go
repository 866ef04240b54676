package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

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
