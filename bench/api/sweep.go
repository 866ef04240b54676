package main

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/caller"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

// sweep shows how rates and latencies go with the number of connections.
func sweep(ctx context.Context, turn time.Duration) error {
	s, err := setUp(ctx)
	if err != nil {
		return err
	}
	defer s.tearDown()
	for _, connections := range []int{1, 4, 16, 64, 256} {
		for _, of := range []struct{ name, addr string }{{"net/http reads and answers", s.bare.Addr}, {"pm-api, fsynced", s.api.Addr}} {
			r, err := caller.Load(ctx, of.addr, connections, turn)
			if err != nil {
				return err
			}
			if err := report.AddPoint(report.PlotCall, of.name, float64(connections), r.Rate()); err != nil {
				return err
			}
			p99 := r.Latencies[len(r.Latencies)*99/100]
			if err := report.AddPoint(report.PlotCallP99, of.name, float64(connections), float64(p99.Microseconds())/1000); err != nil {
				return err
			}
		}
	}
	return nil
}
