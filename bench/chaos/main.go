// Command chaos runs the whole of postmaster as separate processes, has callers enqueue mails all the while, and lets
// one thing after another go wrong. In the end it compares what pm-api acknowledged with what SendGrid, played by
// `postmaster sandbox`, accepted, and the events that pm-hooks answered 200 for with what the database says of each
// mail. It exits 1 when a mail is lost, or sent twice without a reason, or an event is not folded. Run it with
// `make chaos`; PM_TEST_MONGO and PM_TEST_REDIS_SERVER are what `make services` starts.
//
//	callers ─▶ pm-api ─┐              ┌─▶ pm-worker ─▶ sandbox ─▶ relay ─▶ pm-hooks ─┐
//	                   └─▶ okqd ──────┘       │                                      └─▶ okqd
//	                        └─▶ disk, Redis   └─▶ MongoDB
//
// Each arrow but the callers' and SendGrid's own leads through a proxy that can be cut, and each process can be killed
// and stopped. Faults, victims and times are drawn from --seed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

// config is the flags.
type config struct {
	duration    time.Duration // of the faults, for each row; the drain comes after it
	seed        uint64
	rate        float64 // mails a second
	maxAttempts int     // of the workers
	mongo       string
	bin         string // folder of the built programs
}

func main() {
	var cfg config
	flag.DurationVar(&cfg.duration, "d", 2*time.Minute, "how long things go wrong, for each row")
	flag.Uint64Var(&cfg.seed, "seed", uint64(rand.Uint32()), "of the faults, their victims and times: repeats a run as far as the clocks let it")
	flag.Float64Var(&cfg.rate, "rate", 50, "mails enqueued per second")
	flag.IntVar(&cfg.maxAttempts, "max-attempts", 1000, "--max-attempts of the workers; with 1, every unknown outcome becomes a dead letter")
	rows := flag.String("rows", "local,redis,sentinel", "engines of okqd, one after the other")
	report := flag.String("report", "", "also append the report to this file, as Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg, strings.Split(*rows, ","), *report); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg config, rows []string, report string) error {
	cfg.mongo = os.Getenv("PM_TEST_MONGO")
	if cfg.mongo == "" {
		return errors.New("PM_TEST_MONGO is not set; `make services` starts a server")
	}
	dir, err := os.MkdirTemp("", "pm-chaos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg.bin = dir
	if err := process.Build(ctx, dir, "./cmd/okqd", "./cmd/pm-api", "./cmd/pm-worker", "./cmd/pm-hooks", "./cmd/postmaster"); err != nil {
		return err
	}
	failed := 0
	for _, name := range rows {
		engine := engines[name]
		if engine == nil {
			return fmt.Errorf("--rows %q", name)
		}
		v, err := runRow(ctx, cfg, name, engine)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text := v.markdown()
		fmt.Print("\n", text)
		if err := appendTo(report, text); err != nil {
			return err
		}
		failed += len(v.faulty())
	}
	if failed > 0 {
		return fmt.Errorf("%d promises broken", failed)
	}
	return nil
}

func appendTo(path, text string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("\n" + text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
