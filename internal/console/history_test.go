package console

import (
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

func TestAnHourIsKeptAndNoMore(t *testing.T) {
	h := &history{}
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range 3 * 3600 / 2 { // three hours of samples
		at = at.Add(sampleEvery)
		pushed := float64(10 * i)
		h.add(okq.QueueStatus{Total: i % 7}, okq.Traffic{Pushed: pushed, Acked: pushed / 2}, true, at)
	}
	if len(h.points) != keptPoints || cap(h.points) > 2*keptPoints || len(h.readings) > 10 {
		t.Errorf("%d points in room for %d, %d readings", len(h.points), cap(h.points), len(h.readings))
	}
	v := h.view("q", at)
	if v.In != 5 || v.Out != 2.5 {
		t.Errorf("in %v and out %v a second, want 5 and 2.5", v.In, v.Out)
	}
	if v.Depth.Most != 6 || v.Rates.Most != 5 {
		t.Errorf("at most %v and %v, want 6 and 5", v.Depth.Most, v.Rates.Most)
	}
	if n := strings.Count(v.Depth.Lines[0].Path, "L"); n != keptPoints-1 {
		t.Errorf("the line has %d stretches, want %d", n, keptPoints-1)
	}
}

func TestARateIsNotGuessedOverARestart(t *testing.T) {
	h := &history{}
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, pushed := range []float64{1000, 1100, 5} {
		at = at.Add(sampleEvery)
		h.add(okq.QueueStatus{}, okq.Traffic{Pushed: pushed}, true, at)
	}
	if v := h.view("q", at); v.In >= 0 {
		t.Errorf("in %v a second, want not known", v.In)
	}
	h.add(okq.QueueStatus{}, okq.Traffic{Pushed: 25}, true, at.Add(sampleEvery))
	if v := h.view("q", at); v.In != 10 {
		t.Errorf("in %v a second, want 10", v.In)
	}
	h.add(okq.QueueStatus{}, okq.Traffic{}, false, at.Add(2*sampleEvery)) // an original okq
	if v := h.view("q", at); v.In >= 0 {
		t.Errorf("in %v a second, want not known", v.In)
	}
}

func TestAGapInTheSamplesIsAGapInTheLine(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	line := draw("depth", []point{
		{at: ago(90), total: 1}, {at: ago(30), total: 10}, {at: ago(30).Add(pointLength), total: 0}, {at: ago(0), total: 5},
	}, now, 10, func(p point) float64 { return float64(p.total) })
	if want := "M180.0 1.0 L181.0 39.0 M360.0 20.0 "; line.Path != want {
		t.Errorf("path %q, want %q", line.Path, want)
	}
}
