package hooks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/job"
)

func TestTheConsoleIsToldThatEveryEventIsDropped(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	for _, env := range []string{"blue", "green"} { // of two pm-hooks, the later
		in := runOver(t, defaults(t), okqd.Addr)
		body := "[" + strings.Replace(event("bounce", 1), "{", `{"pmEnvID":"`+env+`",`, 1) + "]"
		if got := in.post(t, []byte(body)); got != 200 {
			t.Fatalf("status %d", got)
		}
		found, ok, err := in.okq.Find(t.Context(), job.QueueHooks, job.DroppingID)
		if err != nil || !ok {
			t.Fatalf("%s: found %v, %v", env, ok, err)
		}
		d, err := job.DecodeDropping(found.Contents)
		if err != nil || !slices.Equal(d.Environments, []string{env}) || !slices.Contains(d.Accepted, "production") || !d.Fresh(time.Now()) || d.Fresh(time.Now().Add(time.Hour)) {
			t.Errorf("%+v, %v", d, err)
		}
		if n := in.metric(t, "pm_hooks_no_environment_accepted"); n != 1 {
			t.Errorf("metric %v", n)
		}
	}
}
