package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

// A stretch is a time of which it is known what used the machine's cores. What neither this program nor the processes
// it started used is the database's: nothing else is to run meanwhile.
type stretch struct {
	machine, own time.Duration
	before       time.Duration // of the processes
	cpu          func() (time.Duration, error)
}

func newStretch(cpu func() (time.Duration, error)) (s stretch, err error) {
	s.cpu = cpu
	if s.machine, err = machineBusy(); err != nil {
		return s, err
	}
	s.own = ownCPU()
	s.before, err = cpu()
	return s, err
}

// rest is what others used since then.
func (s stretch) rest() (time.Duration, error) {
	machine, err := machineBusy()
	if err != nil {
		return 0, err
	}
	now, err := s.cpu()
	return max(0, machine-s.machine-(ownCPU()-s.own)-(now-s.before)), err
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineBusy is how long all cores together have worked.
func machineBusy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal, in 1/100 s
	if len(fields) < 8 {
		return 0, fmt.Errorf("/proc/stat: %q", line)
	}
	var busy int64
	for i, field := range fields[1:8] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 { // idle and iowait
			busy += n
		}
	}
	return time.Duration(busy) * 10 * time.Millisecond, nil
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
