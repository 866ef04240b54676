package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

// call uses the JSON API as curl would. The answer is decoded into v unless
// that is nil.
func call(t *testing.T, s *sandbox.Sandbox, method, path, body string, v any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, text := do(t, req)
	if v != nil {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%s %s: %d %q: %v", method, path, resp.StatusCode, text, err)
		}
	}
	return resp.StatusCode
}

func TestAPIFindsMails(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	for i := range 5 {
		send(t, s, mailTo(fmt.Sprintf("to%d@example.com", i), fmt.Sprintf("id%d", i)))
	}
	for query, want := range map[string]int{
		"": 5, "?to=TO3@example.com": 1, "?stats_id=id2": 1, "?to=to3@example.com&stats_id=id2": 0,
		"?q=your+order": 5, "?q=TO4": 1, "?q=nothing": 0, "?limit=2": 2,
	} {
		var list struct {
			Mails []struct {
				ID       string
				Envelope struct{ Subject string }
			}
			Kept int
		}
		if status := call(t, s, "GET", "/api/mails"+query, "", &list); status != 200 || len(list.Mails) != want || list.Kept != 5 {
			t.Errorf("%s: %d, %d mails of %d, want %d of 5", query, status, len(list.Mails), list.Kept, want)
		}
	}
	if status := call(t, s, "GET", "/api/mails?limit=x", "", nil); status != 400 {
		t.Errorf("limit=x: %d, want 400", status)
	}
	if status := call(t, s, "DELETE", "/api/mails", "", nil); status != 204 || len(s.Mails()) != 0 {
		t.Errorf("delete: %d, %d mails left", status, len(s.Mails()))
	}
	if s.Accepted("id1") != 1 {
		t.Error("emptying the inbox must not touch the counts")
	}
}

func TestAPIShowsOneMailAndMakesEvents(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	id := send(t, s, mailTo("noopen@example.com", "x"))
	var m struct {
		ID      string
		Request struct{ Subject string }
	}
	if status := call(t, s, "GET", "/api/mails/"+id, "", &m); status != 200 || m.ID != id || m.Request.Subject != "Your order" {
		t.Errorf("%d %+v", status, m)
	}
	if status := call(t, s, "POST", "/api/mails/"+id+"/events", `{"event":"bounce","reason":"552 5.2.2 mailbox full"}`, nil); status != 202 {
		t.Errorf("make event: %d, want 202", status)
	}
	events := hook.waitFor(t, "noopen@example.com", "processed", "delivered", "bounce")
	if e := events[2]; e["reason"] != "552 5.2.2 mailbox full" || e["status"] != "5.2.2" || e["type"] != "bounce" {
		t.Errorf("bounce %v", e)
	}
	var listed []struct{ Kind string }
	if call(t, s, "GET", "/api/mails/"+id+"/events", "", &listed); len(listed) != 3 {
		t.Errorf("events %v, want three", listed)
	}
	for body, want := range map[string]int{
		`{"event":"explode"}`: 400, `{"event":"open","email":"other@example.com"}`: 400, `{"event":"open","mail":"x"}`: 400, `{`: 400, `{"event":"open"} {}`: 400,
	} {
		var answer struct{ Error string }
		if status := call(t, s, "POST", "/api/mails/"+id+"/events", body, &answer); status != want || answer.Error == "" {
			t.Errorf("%s: %d %q, want %d and why", body, status, answer.Error, want)
		}
	}
	for _, path := range []string{"/api/mails/none", "/api/mails/none/events"} {
		if status := call(t, s, "GET", path, "", nil); status != 404 {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
	if status := call(t, s, "POST", "/api/mails/none/events", `{"event":"open"}`, nil); status != 404 {
		t.Errorf("event of no mail: %d, want 404", status)
	}
}

func TestAPIListsDoubles(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	const id, odd = "6920d5c40000000000000001", `a "quoted" id`
	for range 2 {
		send(t, s, mailTo("alex@example.com", id))
	}
	send(t, s, mailTo("alex@example.com", strings.ReplaceAll(odd, `"`, `\"`)))
	for query, want := range map[string]int{"": 2, "?min=2": 1, "?min=3": 0} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL()+"/api/accepted"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, text := do(t, req)
		lines := 0
		for line := range strings.Lines(text) {
			var entry struct {
				ID    string
				Count int
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Count != s.Accepted(entry.ID) {
				t.Errorf("%s: line %q: %v", query, line, err)
			}
			lines++
		}
		if lines != want {
			t.Errorf("%s: %d lines, want %d", query, lines, want)
		}
	}
	var one struct{ Count int }
	if call(t, s, "GET", "/api/accepted/"+id, "", &one); one.Count != 2 {
		t.Errorf("count %d, want 2", one.Count)
	}
}

func TestAPISetsFaultsAndTheWebhook(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	var menu struct{ Rules []struct{ Fault string } }
	if status := call(t, s, "PUT", "/api/faults", `{"seed":1,"rules":[{"fault":"503","count":1}]}`, &menu); status != 200 || len(menu.Rules) != 1 {
		t.Fatalf("put: %d %+v", status, menu)
	}
	if resp, _ := do(t, sendRequest(t, s, mailTo("alex@example.com", "x"))); resp.StatusCode != 503 {
		t.Errorf("got %d, want the fault's 503", resp.StatusCode)
	}
	if call(t, s, "GET", "/api/faults", "", &menu); len(menu.Rules) != 0 {
		t.Errorf("rules %v left, want none", menu.Rules)
	}
	if status := call(t, s, "PUT", "/api/faults", `{"rules":[{"fault":"no"}]}`, nil); status != 400 {
		t.Errorf("unknown fault: %d, want 400", status)
	}
	if err := s.SetFaults(); err != nil {
		t.Fatal(err)
	}
	if status := call(t, s, "DELETE", "/api/faults", "", nil); status != 204 {
		t.Errorf("delete: %d, want 204", status)
	}

	hook := newReceiver(t)
	var set map[string]string
	url := strings.Replace(hook.URL, "://", "://user:hunter2@", 1)
	if status := call(t, s, "PUT", "/api/webhook", `{"url":"`+url+`"}`, &set); status != 200 || strings.Contains(set["url"], "hunter2") || set["public_key"] != s.PublicKey() {
		t.Errorf("put: %d %v, want the key and no password", status, set)
	}
	send(t, s, mailTo("alex@example.com", "x"))
	hook.waitFor(t, "alex@example.com", "open")
	if status := call(t, s, "PUT", "/api/webhook", `{"url":"nowhere"}`, nil); status != 400 {
		t.Errorf("bad URL: %d, want 400", status)
	}
}

func TestAPITellsWhatWasRefused(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	for range 30 {
		do(t, sendRequest(t, s, "{}"))
	}
	var refused []struct {
		Status int
		Errors []struct{ Field string }
	}
	if call(t, s, "GET", "/api/refused", "", &refused); len(refused) != 20 || refused[0].Status != 400 || refused[0].Errors[0].Field == "" {
		t.Errorf("refused %+v, want the newest 20 with their issues", refused)
	}
	var counters struct{ Refused map[string]int }
	if call(t, s, "GET", "/api/counters", "", &counters); counters.Refused["400"] != 30 {
		t.Errorf("counters %+v, want 30 times 400", counters)
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	id := send(t, s, mailTo("alex@example.com", "x"))
	for _, path := range []string{"/mails/delete", "/mails/" + id + "/events", "/faults", "/faults/clear", "/settings/webhook", "/api/mails/" + id + "/events"} {
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+path, strings.NewReader("event=open&fault=429&percent=100"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header, value)
			if resp, _ := do(t, req); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s %s: %d, want 403", path, header, value, resp.StatusCode)
			}
		}
	}
	if len(s.Mails()) != 1 || len(s.Faults().Rules) != 0 {
		t.Error("a cross-site post did something")
	}
}
