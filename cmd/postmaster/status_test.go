package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

func TestStatusTellsWhatComesIn(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	client, err := okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, stop := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	pushing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			e := okq.Event{Queue: job.QueueEmailNormal, ID: fmt.Sprint(i), Contents: []byte(`{}`)}
			if err := client.Push(ctx, e); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	out, err := run(t.Context(), "status", "--once", "--every", "300ms", "--json", "--okq-addr", okqd.Addr)
	stop()
	pushing.Wait()
	if err != nil {
		t.Fatalf("%v after %s", err, out)
	}
	var s struct {
		Queues []struct {
			Queue   string
			Total   int
			InRate  float64 `json:"inPerSecond"`
			OutRate float64 `json:"outPerSecond"`
		}
		UnknownOutcomes *int
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, q := range s.Queues {
		if q.Queue == job.QueueEmailNormal && (q.InRate <= 0 || q.OutRate != 0 || q.Total == 0) {
			t.Errorf("%+v, want some in and none out", q)
		}
	}
	if len(s.Queues) < 5 || s.UnknownOutcomes != nil {
		t.Errorf("printed %s, want all queues, and no unknown outcomes without a store", out)
	}
}

func TestStatusGoesOnUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	out, err := run(ctx, "status", "--every", "100ms", "--json", "--okq-addr", okqd.Addr)
	if err != nil || len(out) < 2*200 {
		t.Errorf("%v after %q, want several snapshots", err, out)
	}
}
