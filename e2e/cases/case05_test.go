package cases

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestCase05EventsOfCopiesAreNotThoseOfTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--environment", "production")
	r.startHooks()
	request, err := os.ReadFile("testdata/cc-bounce.json")
	if err != nil {
		t.Fatal(err)
	}
	var call struct{ Params json.RawMessage }
	if err := json.Unmarshal(request, &call); err != nil {
		t.Fatal(err)
	}
	var queued struct{ ID string }
	r.result("Enqueue", string(call.Params), &queued)

	// bounce+cc and spam+bcc do as they are called. The sandbox's events come after the email was accepted.
	var stat struct {
		Stat *struct {
			StateFlags int64
			Error      string
		}
	}
	events := func(typ string) bool {
		return strings.Contains(metricsOf(t, r.worker.Ops), `pm_worker_events_total{result="folded",type="`+typ+`"}`)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		folded := events("bounce") && events("spamreport")
		r.result("GetLastEmail", `{"to":"noopen+main@example.com","uniqueID":"ccx"}`, &stat)
		if folded && stat.Stat != nil && stat.Stat.StateFlags&2 != 0 {
			break
		}
	}
	if stat.Stat == nil {
		t.Fatal("no email")
	}
	r.came("stateFlags %d, error %q", stat.Stat.StateFlags, stat.Stat.Error)
	if stat.Stat.StateFlags != 2 || stat.Stat.Error != "" {
		t.Error("want stateFlags 2 and no error")
	}
}
