package worker

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const killerExit = 66

// killable dies as soon as it is asked about the killer: before anything of its mail is written.
type killable struct{ prefs.Store }

func (k killable) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	for _, a := range addresses {
		if strings.HasPrefix(a, "killer@") {
			os.Exit(killerExit)
		}
	}
	return k.Store.Flags(ctx, addresses)
}

// deadly dies once the ledger has a death.
type deadly struct{ stats.Store }

func (d deadly) Settle(ctx context.Context, settlements []stats.Settlement) error {
	err := d.Store.Settle(ctx, settlements)
	for _, s := range settlements {
		if s.State == stats.Rejected || s.State == stats.Dead {
			os.Exit(killerExit)
		}
	}
	return err
}

// TestKillableWorker is the process of other tests.
func TestKillableWorker(t *testing.T) {
	okqAddr := os.Getenv("PM_TEST_KILLABLE_OKQ")
	if okqAddr == "" {
		t.Skip("runs as another test's process")
	}
	stores, err := store.Open(t.Context(), store.Config{SQLite: os.Getenv("PM_TEST_KILLABLE_DB")}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer stores.Close()
	client, err := okq.New(okq.Options{Addrs: []string{okqAddr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sender := sendgrid.New(sendgrid.Config{Key: "SG.test", URL: os.Getenv("PM_TEST_KILLABLE_SENDGRID")}, "test", 4)
	ledger := stores.Stats
	if os.Getenv("PM_TEST_KILLABLE_AT") == "death" {
		ledger = deadly{ledger}
	}
	w, err := New(killableConfig(), Deps{Queue: client, Sender: sender, Stats: ledger, Prefs: killable{stores.Prefs}}, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func killableConfig() Config {
	cfg := testConfig()
	cfg.SendTimeout, cfg.Lease, cfg.MaxDeliveries = time.Second, 1500*time.Millisecond, 12
	return cfg
}

func TestJobThatKillsTheProcessEndsAsADeadLetter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/pm.db"
	r := newRig(t, func(r *rig) { r.db = dir })
	killer, mails := r.mail("killer@example.com"), r.mails(20, "a@example.com")
	r.enqueue(append(mails, killer)...) // all of them are in hand when it strikes
	deaths := 0
	for ; r.total(job.QueueEmailDead) == 0; deaths++ {
		if deaths > 3*killableConfig().MaxDeliveries {
			t.Fatalf("no dead letter after %d deaths", deaths)
		}
		r.runKillable(dir)
	}
	r.cfg = killableConfig()
	r.start()
	r.empty(job.QueueEmailNormal)
	dead, err := r.okq.Pop(t.Context(), job.QueueEmailDead, 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, e := range dead {
		letter, err := job.DecodeDeadLetter(e.Contents)
		if err != nil {
			t.Fatal(err)
		}
		reasons[e.ID] = letter.Reason
	}
	if reasons[string(killer.ID)] != job.ReasonDeliveries {
		t.Errorf("dead letters %v, want the killer's", reasons)
	}
	// Which of them go before the killer is chance; that most do is not.
	if len(reasons) > len(mails)/2 {
		t.Errorf("%d of %d mails died with the killer", len(reasons)-1, len(mails))
	}
	for _, e := range mails {
		if reasons[string(e.ID)] == "" {
			r.accepted(e, 1)
		}
	}
	t.Logf("the process died %d times, and %d mails with it", deaths, len(reasons)-1)
}

// runKillable runs the process until it dies or a dead letter shows.
func (r *rig) runKillable(db string, env ...string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKillableWorker$")
	cmd.Env = append(append(os.Environ(), env...), "PM_TEST_KILLABLE_DB="+db, "PM_TEST_KILLABLE_OKQ="+r.addr, "PM_TEST_KILLABLE_SENDGRID="+r.sendgrid.URL())
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != killerExit {
				r.Fatalf("the process ended otherwise: %v", err)
			}
			return
		case <-time.After(20 * time.Millisecond):
			if r.total(job.QueueEmailDead) > 0 {
				cancel()
				<-done
				return
			}
		}
	}
}
