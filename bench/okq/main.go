// Command okq measures okqd as a process, with both engines, against yardsticks that run in turns with it on the same
// disk and the same Redis. Run it with `make bench-okq`. Each line of the table is a median over turns.
//
//	push      against a bare TCP server that appends what it reads and fdatasyncs in groups before it answers
//	redis     against redis-benchmark's LPUSH and RPOP, pipelined equally
//	backlog   what 1 million queued events cost, against 1 thousand
//	leased    what an ack costs with 100,000 leased, against 10; the memory of 100,000 queued
//	idle      1,000 consumers that wait
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

func main() {
	b := &bench{}
	flag.DurationVar(&b.turn, "turn", 1500*time.Millisecond, "length of a turn")
	flag.IntVar(&b.rounds, "rounds", 3, "turns of each")
	flag.IntVar(&b.many, "many", 1_000_000, "events of a large backlog")
	flag.StringVar(&b.pprof, "pprof", "", "--ops-addr of the first okqd, with --pprof")
	only := flag.String("only", "push,leased,idle,redis,backlog,redis-backlog", "what to measure")
	yardstick := flag.String("yardstick", "", "be the yardstick, with this file") // used by the program itself
	flag.Parse()
	if *yardstick != "" {
		fmt.Fprintln(os.Stderr, serveYardstick(*yardstick))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, b, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is what the measurements share.
type bench struct {
	dir    string
	turn   time.Duration
	rounds int
	many   int
	pprof  string
}

func run(ctx context.Context, b *bench, only []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "pm-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := onDisk(b.dir); err != nil {
		return err
	}
	if err := process.Build(ctx, b.dir, "./cmd/okqd"); err != nil {
		return err
	}
	begin := time.Now()
	for _, name := range only {
		measure := map[string]func(context.Context) error{
			"push": b.push, "leased": b.leased, "idle": b.idle, "redis": b.redis, "backlog": b.backlog, "redis-backlog": b.redisBacklog,
		}[name]
		if measure == nil {
			return fmt.Errorf("-only %q", name)
		}
		if err := measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Printf("\ntook %v\n", time.Since(begin).Round(time.Second))
	return nil
}

// onDisk refuses a folder in memory: it would cost nothing to sync.
func onDisk(dir string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return err
	}
	const tmpfs = 0x01021994
	if fs.Type == tmpfs {
		return fmt.Errorf("%s is in memory; set TMPDIR to a folder on the disk", dir)
	}
	return nil
}

// okqd starts one with the local engine on a directory of its own, or what args say instead.
func (b *bench) okqd(dir string, args ...string) (*process.Process, error) {
	args = append([]string{"--listen-addr", "127.0.0.1:0", "--ops-addr", b.pprof}, args...)
	if b.pprof != "" {
		args = append(args, "--pprof")
		b.pprof = ""
	}
	if dir != "" {
		args = append(args, "--data-dir", filepath.Join(b.dir, dir))
	}
	return process.Start("", filepath.Join(b.dir, "okqd"), args...)
}
