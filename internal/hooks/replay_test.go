package hooks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/job"
)

func archived(t *testing.T) (hooks.Config, hooks.ReplayConfig) {
	t.Helper()
	cfg := defaults(t)
	cfg.Archive = filepath.Join(t.TempDir(), "archive")
	return cfg, hooks.ReplayConfig{AcceptEnv: cfg.AcceptEnv}
}

func TestAReplayQueuesWhatWasAcceptedOnceMore(t *testing.T) {
	t.Parallel()
	cfg, replay := archived(t)
	s := newSigner(t)
	cfg.PublicKeys = []string{s.public(t)}
	in := run(t, cfg)
	for i, body := range [][]byte{batchOf(0, 3), []byte("[]"), batchOf(3, 3)} {
		if got := in.post(t, body, s.sign(t, body, time.Now())); got != 200 {
			t.Fatalf("POST %d: %d", i, got)
		}
	}
	if got := in.post(t, batchOf(6, 1)); got != 403 {
		t.Fatalf("unsigned: %d", got)
	}
	in.queued(t)
	done, err := hooks.Replay(t.Context(), replay, cfg.Archive, in.okq, func(hooks.Replayed) {})
	if err != nil || done.Posts != 3 || done.Events != 6 || done.Unusable != 0 || time.Since(done.Last) > time.Minute {
		t.Errorf("%+v, %v", done, err)
	}
	var want []string
	for i := range 6 {
		want = append(want, event("open", i))
	}
	wantQueued(t, in, want...)
}

func TestAReplayIsBoundedByTimesAndEnvironments(t *testing.T) {
	t.Parallel()
	cfg, replay := archived(t)
	in := run(t, cfg)
	body := []byte("[" + event("open", 1) + "," + strings.Replace(event("open", 2), "{", `{"pmEnvID":"staging",`, 1) + "]")
	if got := in.post(t, body); got != 200 {
		t.Fatalf("status %d", got)
	}
	in.queued(t)
	hour := func(d time.Duration) string { return time.Now().Add(d * time.Hour).Format(time.RFC3339) }
	for _, c := range []struct {
		name, since, until string
		envs               []string
		events             int
	}{
		{"all", "", "", cfg.AcceptEnv, 2},
		{"around it", hour(-1), hour(1), cfg.AcceptEnv, 2},
		{"later", hour(1), "", cfg.AcceptEnv, 0},
		{"earlier", "", hour(-1), cfg.AcceptEnv, 0},
		{"staging", "", "", []string{"staging"}, 1},
	} {
		done, err := hooks.Replay(t.Context(), hooks.ReplayConfig{AcceptEnv: c.envs, Since: c.since, Until: c.until}, cfg.Archive, in.okq, func(hooks.Replayed) {})
		if err != nil || done.Events != c.events || len(in.queued(t)) != c.events {
			t.Errorf("%s: %+v, %v, want %d events", c.name, done, err, c.events)
		}
	}
	replay.Since, replay.Until, replay.AcceptEnv = "yesterday", "tomorrow", nil
	err := replay.Validate()
	for _, flag := range []string{"--since", "--until", "--accept-env"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v does not name %s", err, flag)
		}
	}
}

func TestAReplayThatOkqDoesNotTakeSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	cfg, replay := archived(t)
	okqd := okqdtest.RunT(t)
	in := runOver(t, cfg, okqd.Addr)
	if got := in.post(t, batchOf(0, 3)); got != 200 {
		t.Fatalf("status %d", got)
	}
	okqd.Stop()
	if done, err := hooks.Replay(t.Context(), replay, cfg.Archive, in.okq, func(hooks.Replayed) {}); err == nil || done.Posts != 0 || !strings.Contains(err.Error(), "POST of 20") {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestAnArchiveThatCannotBeWrittenStopsNobody(t *testing.T) {
	t.Parallel()
	cfg, _ := archived(t)
	in := run(t, cfg)
	if err := os.RemoveAll(cfg.Archive); err != nil {
		t.Fatal(err)
	}
	if got := in.post(t, batchOf(0, 3)); got != 200 {
		t.Errorf("status %d", got)
	}
	if n := len(in.queued(t)); n != 3 {
		t.Errorf("%d events queued", n)
	}
	if n := in.metric(t, "pm_hooks_unarchived_total"); n != 1 {
		t.Errorf("%v counted", n)
	}
}

func TestOptOutsAreTakenBeforeAllThatWaits(t *testing.T) {
	t.Parallel()
	cfg, replay := archived(t)
	cfg.Unsubscribe = linkConfig
	in := run(t, cfg)
	unsubscribe := strings.Replace(event("unsubscribe", 7), "}", `,"timestamp":1700000000}`, 1)
	for _, body := range [][]byte{batchOf(0, 3), []byte("[" + event("open", 5) + "," + unsubscribe + "]")} {
		if got := in.post(t, body); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	if resp := request(t, "POST", in.link(t, "alex@example.com", 6), "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	wantOrder := func(what string) {
		t.Helper()
		got := in.queued(t)
		if len(got) != 6 || !strings.Contains(string(got[0]), job.EventOneClick) || string(got[1]) != unsubscribe {
			t.Errorf("%s: %d events, first %s", what, len(got), got)
		}
	}
	wantOrder("as they came")
	done, err := hooks.Replay(t.Context(), replay, cfg.Archive, in.okq, func(hooks.Replayed) {})
	if err != nil || done.Posts != 3 || done.Events != 6 {
		t.Fatalf("%+v, %v", done, err)
	}
	wantOrder("replayed")
}
