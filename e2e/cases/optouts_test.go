package cases

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to remove a record as an operator does

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// TestAnUnsubscribeCountsThoughItsRecordIsGone removes the records of an email before its recipients unsubscribe.
func TestAnUnsubscribeCountsThoughItsRecordIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--environment", "production")
	r.startHooks()
	id := r.enqueue("noopen@example.com", `,"flags":4,"cc":[{"email":"noopen+cc@example.com"}]`)
	state := func() string {
		var answer struct{ Email *struct{ State string } }
		r.result("GetEmail", `{"id":"`+id+`"}`, &answer)
		if answer.Email == nil {
			return ""
		}
		return answer.Email.State
	}
	eventually(t, 20*time.Second, "the email is delivered", func() bool {
		return state() == "accepted" && strings.Contains(metricsOf(t, r.worker.Ops), `pm_worker_events_total{result="folded",type="delivered"} 2`)
	})
	db, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, "pm.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DELETE FROM records`); err != nil {
		t.Fatal(err)
	}
	mail := r.sendgrid.Mails()[0]
	if _, err := r.sendgrid.MakeEvent(mail.ID, sandbox.EventRequest{Kind: sandbox.Unsubscribe}); err != nil {
		t.Fatal(err)
	}
	var to, cc int64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if to, cc = r.flags("noopen@example.com"), r.flags("noopen+cc@example.com"); to == 4 && cc == 4 {
			break
		}
	}
	r.came("flags of to %d, of cc %d", to, cc)
	if to != 4 || cc != 4 {
		t.Error("want flags 4 for both")
	}
}

func TestAnUnsubscribeOfAnAddressThatGotNoEmailChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--environment", "production")
	r.startHooksUnsigned()
	id := r.enqueue("noopen@example.com", `,"flags":4`)
	eventually(t, 20*time.Second, "the email is sent", func() bool { return len(r.sendgrid.Mails()) == 1 })
	post := func(address string) {
		body := fmt.Sprintf(`[{"event":"unsubscribe","email":%q,"timestamp":%d,"pmStatsID":%q,"pmEnvID":"production"}]`, address, time.Now().Unix(), id)
		resp, err := http.Post("http://"+r.hooks.Addr+"/", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
	}
	post("other@example.com")
	eventually(t, 20*time.Second, "the first event is folded", func() bool {
		return strings.Contains(metricsOf(t, r.worker.Ops), `pm_worker_events_total{result="folded",type="unsubscribe"} 1`)
	})
	post("NoOpen@example.com")
	eventually(t, 20*time.Second, "the second event is folded", func() bool { return r.flags("noopen@example.com") == 4 })
	other := r.flags("other@example.com")
	r.came("flags of an address that got no email %d", other)
	if other != 1 {
		t.Error("want 1: opted into everything")
	}
}

// startHooksUnsigned starts pm-hooks without a key.
func (r *rig) startHooksUnsigned() {
	r.t.Helper()
	r.hooks = process.Start(r.t, 2, "pm-hooks", "--okq-addr", r.okqd.Addr, "--webhook-addr", anywhere, "--ops-addr", anywhere)
}
