package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/demo"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/client"
)

// play plays the main job: sent, delivered, opened, opted out, bounced.
func (s *system) play() {
	s.t.Helper()
	var told strings.Builder
	story := demo.Story{API: client.New("http://" + s.api.Addr + "/"), SendGrid: s.sendgrid, Out: &told, Patience: time.Minute}
	if err := story.Play(s.t.Context()); err != nil {
		s.t.Errorf("%v, after:\n%s", err, told.String())
	}
}

func TestTheMainJobThroughFourProcessesWithSQLite(t *testing.T) {
	t.Parallel()
	startSystem(t, "--sqlite", filepath.Join(t.TempDir(), "pm.db")).play()
}

func TestTheMainJobThroughFourProcessesWithMongo(t *testing.T) {
	t.Parallel()
	startSystem(t, "--mongo-addr", testenv.Mongo(t)).play()
}

func TestTheDemoIsTrue(t *testing.T) {
	t.Parallel()
	out, err := process.Command("postmaster", "demo", "--once", "--ops-addr", "127.0.0.1:0").CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	for _, want := range []string{"enqueued", "accepted by SendGrid", "stateFlags 34", "not sent", "sent this time", "stateFlags 8"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// The main job in one process, as users of 0.4.0 run it, with SendGrid's key in a file.
func TestServeDoesTheMainJob(t *testing.T) {
	t.Parallel()
	s := startServe(t)
	s.play()
	if code := s.api.Stop(); code != 0 {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
}

// A newcomer's shell has curl and nothing else.
func TestTheCurlLineOfTheREADME(t *testing.T) {
	t.Parallel()
	s := startServe(t)
	out, err := exec.Command("sh", "-c", strings.ReplaceAll(readmeCurl(t), "127.0.0.1:8992", s.api.Addr)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"success":true`) {
		t.Fatalf("%v: %s", err, out)
	}
	process.Eventually(t, time.Minute, "the mail is in the inbox", func() bool { return len(s.sendgrid.Mails()) == 1 })
}
