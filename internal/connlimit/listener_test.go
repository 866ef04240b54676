package connlimit

import (
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestConnectionOverTheLimitWaitsForAnotherToEnd(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := New(inner, 1, prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"}))
	defer ln.Close()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	for range 2 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted beside the first")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives back one slot, not two
	second := <-accepted
	if got := len(ln.(*listener).slots); got != 1 {
		t.Errorf("%d slots taken, want 1", got)
	}
	second.Close()
	ln.Close()
	if _, ok := <-accepted; ok {
		t.Error("a closed listener accepted")
	}
}
