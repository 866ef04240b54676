package cases

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCase08SpacesRoundCommasDoNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI("--api-token", "tokA, tokB")
	r.startWorker("--environment", "staging")
	r.startHooks("--environment", "elsewhere", "--accept-env", "dev, staging")

	post := func(token, body string) int {
		req, err := http.NewRequest("POST", "http://"+r.api.Addr+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"bounce@example.com","from":"shop@example.org","subject":"S","text":"T"}}`
	first, second := post("tokA", body), post("tokB", body)
	accepted := false
	for end := time.Now().Add(10 * time.Second); !accepted && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		accepted = strings.Contains(metricsOf(t, r.hooks.Ops), `pm_hooks_events_total{result="accepted",type="bounce"} 2`)
	}
	r.came("tokens %d and %d, events of the second environment accepted: %v", first, second, accepted)
	if first != 200 || second != 200 || !accepted {
		t.Error("want 200 for both tokens and the events of staging accepted")
	}
}
