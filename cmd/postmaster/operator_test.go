package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/archive"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// archived makes an archive of n files with one POST of two events each.
func archived(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	w, err := archive.NewWriter(dir, archive.Options{MaxBytes: 1, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range n {
		event := fmt.Sprintf(`{"event":"open","pmStatsID":"6920d5c40000000000000001","sg_event_id":"%d"}`, i)
		if err := w.Write(archive.Post{At: time.Unix(1767225600+int64(i), 0), Body: []byte("[" + event + "," + event + "]"), Signed: true}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplayPrintsProgressAndTotals(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	out, err := run(t.Context(), "hooks", "replay", archived(t, 3), "--okq-addr", okqd.Addr)
	if err != nil {
		t.Fatalf("%v after %s", err, out)
	}
	lines := strings.Split(out, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "posts-20260101T000000") || lines[2] != "total: 3 POSTs, 6 events queued" {
		t.Errorf("printed %q", out)
	}
	client, err := okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	status, err := client.Status(t.Context(), job.QueueStats)
	if err != nil || status[0].Total != 3 {
		t.Errorf("queue %+v, %v; want one event for each POST", status, err)
	}
}

// TestAReplayThatWasStoppedGoesOn from the file that it was in, as it says itself.
func TestAReplayThatWasStoppedGoesOn(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	dir := archived(t, 3)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := run(stopped, "hooks", "replay", dir, "--okq-addr", okqd.Addr)
	if err == nil || !strings.Contains(err.Error(), "go on with --from posts-20260101T000000") {
		t.Fatalf("error %v does not say how to go on", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), "hooks", "replay", dir, "--okq-addr", okqd.Addr, "--from", filepath.Base(files[1]))
	if err != nil || !strings.HasSuffix(out, "total: 2 POSTs, 4 events queued\n") {
		t.Errorf("printed %q, %v; want the second file and the third", out, err)
	}
}

func TestGapsListsMailsWithoutEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pm.db")
	s, err := store.Open(t.Context(), store.Config{SQLite: path}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	accepted := func(ago time.Duration) job.ID {
		id := job.NewID()
		err := s.Stats.Settle(t.Context(), []stats.Settlement{{
			Subject: stats.Subject{ID: id, Recipient: "alex@example.com", UniqueID: "u"},
			Number:  1, State: stats.Accepted, At: time.Now().Add(-ago),
		}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := accepted(7 * time.Hour)
	accepted(5 * time.Hour)
	out, err := run(t.Context(), "stats", "gaps", "--sqlite", path)
	if err != nil || !strings.HasPrefix(out, string(old)+"  accepted 20") || !strings.HasSuffix(out, "\n1 mails accepted more than 6h0m0s ago, and no event of any\n") {
		t.Errorf("printed %q, %v; want %s alone", out, err, old)
	}
	out, err = run(t.Context(), "stats", "gaps", "--sqlite", path, "--older", "8h")
	if err != nil || !strings.HasPrefix(out, "0 mails") {
		t.Errorf("printed %q, %v; want none that are older than 8h", out, err)
	}
	out, err = run(t.Context(), "stats", "gaps", "--sqlite", path, "--json")
	var line gap
	if jsonErr := json.Unmarshal([]byte(out), &line); err != nil || jsonErr != nil || line.ID != string(old) || line.Recipient != "alex@example.com" {
		t.Errorf("printed %q, %v, %v", out, err, jsonErr)
	}
}

func TestWrongArgumentsOfTheOperatorsAreNamed(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ args, want string }{
		{"hooks nonsense", `unknown command "nonsense" for "postmaster hooks"`},
		{"hooks replay", "accepts 1 arg(s)"},
		{"hooks replay " + nowhere, "no such file"},
		{"hooks replay " + t.TempDir(), "no posts-*.zst in"},
		{"hooks replay --since yesterday " + nowhere, "--since"},
		{"hooks replay --okq-addr x " + nowhere, "--okq-addr"},
		{"stats gaps", "give --mongo-addr or --sqlite"},
		{"stats gaps --older -1h --sqlite " + nowhere, "--older"},
		{"stats gaps --sqlite " + nowhere, "--sqlite: "},
	} {
		if out, err := run(t.Context(), strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("postmaster %s: %v, printed %q; want %q", c.args, err, out, c.want)
		}
	}
}
