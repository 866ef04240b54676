// Command footprint measures what each process is before it does anything: the size of its file, how long it takes to be
// ready, its memory when idle; and the memory of pm-api that takes a mail of 30 MB. Run it with `make bench-footprint`.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

const (
	starts    = 5
	idleFor   = 5 * time.Second
	idleLimit = 40.0 // MiB
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "pm-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := process.BuildReleased(ctx, dir, "./cmd/okqd", "./cmd/pm-api", "./cmd/pm-worker", "./cmd/pm-hooks"); err != nil {
		return err
	}
	okqd, err := process.Start("", filepath.Join(dir, "okqd"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(dir, "queue"))
	if err != nil {
		return err
	}
	defer okqd.Stop()
	fmt.Printf("%-10s %10s %18s %18s\n", "", "file", fmt.Sprintf("ready, median of %d", starts), fmt.Sprintf("memory after %v", idleFor))
	for _, p := range programs(dir, okqd.Addr) {
		if err := p.measure(ctx, filepath.Join(dir, p.name)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return largeMail(ctx, filepath.Join(dir, "pm-api"), okqd.Addr)
}

// A program and how it is started with nothing to do.
type program struct {
	name string
	args []string
}

func programs(dir, okqAddr string) []program {
	store := []string{"--okq-addr", okqAddr, "--sqlite", filepath.Join(dir, "pm.db")}
	return []program{
		{"okqd", []string{"--listen-addr", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "idle")}},
		{"pm-api", append([]string{"--listen-addr", "127.0.0.1:0"}, store...)},
		{"pm-hooks", []string{"--webhook-addr", "127.0.0.1:0", "--okq-addr", okqAddr}},
		{"pm-worker", append([]string{"--sendgrid-key", "SG.bench", "--sendgrid-url", "http://127.0.0.1:9"}, store...)},
	}
}

// measure starts the program several times, until its /readyz says 200, and lets the last one be idle.
func (p program) measure(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var took []time.Duration
	var memory float64
	for i := range starts {
		begin := time.Now()
		running, err := process.Start("ops", path, append(p.args, "--ops-addr", "127.0.0.1:0")...)
		if err != nil {
			return err
		}
		err = ready(ctx, running.Addr)
		took = append(took, time.Since(begin))
		if err == nil && i == starts-1 {
			time.Sleep(idleFor)
			memory, err = running.ResidentMiB()
		}
		running.Stop()
		if err != nil {
			return err
		}
	}
	slices.Sort(took)
	fmt.Printf("%-10s %6.1f MiB %18v %14.1f MiB\n", p.name, float64(info.Size())/(1<<20), took[starts/2].Round(time.Millisecond), memory)
	return report.Add(report.Line{
		What: p.name + ", memory when idle", Value: fmt.Sprintf("%.1f MiB", memory), Target: fmt.Sprintf("< %v MiB", idleLimit), Met: memory < idleLimit, Why: report.Noise,
	})
}

func ready(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return ctx.Err()
}
