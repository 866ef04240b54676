package hooks_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestStatusOfEachKindOfRequest(t *testing.T) { onEachEngine(t, statusOfEachKindOfRequest) }

func statusOfEachKindOfRequest(t *testing.T, e engine) {
	s := newSigner(t)
	cfg := defaults(t)
	cfg.Pass, cfg.PublicKeys = "secret", []string{s.public(t)}
	in := e.run(t, cfg)
	good := []byte("[" + event("open", 1) + "]\r\n")
	auth := func(pass string) http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("anyone", pass)
		return r.Header
	}
	large := append(bytes.Repeat([]byte(" "), 8<<20), good...)
	cases := []struct {
		name, method string
		pass         string
		body         []byte
		signature    http.Header
		want         int
	}{
		{"GET, before anything else is looked at", "GET", "wrong", nil, nil, 405},
		{"PUT", "PUT", "secret", good, s.sign(t, good, time.Now()), 405},
		{"wrong password, before the size is", "POST", "wrong", large, nil, 401},
		{"no password, well signed", "POST", "", good, s.sign(t, good, time.Now()), 401},
		{"too large, before the signature is", "POST", "secret", large, nil, 413},
		{"unsigned, before the JSON is", "POST", "secret", []byte("x"), nil, 403},
		{"signature is not base64", "POST", "secret", good, signed("%%", "1"), 403},
		{"signature is empty", "POST", "secret", good, signed("", "1"), 403},
		{"timestamp missing", "POST", "secret", good, signed("MEUCIGHQ", ""), 403},
		{"signature of another key", "POST", "secret", good, newSigner(t).sign(t, good, time.Now()), 403},
		{"not JSON", "POST", "secret", []byte("x"), s.sign(t, []byte("x"), time.Now()), 400},
		{"good", "POST", "secret", good, s.sign(t, good, time.Now()), 200},
		{"good, signed a month ago", "POST", "secret", good, s.sign(t, good, time.Now().Add(-30*24*time.Hour)), 200},
	}
	for _, c := range cases {
		req, err := http.NewRequestWithContext(t.Context(), c.method, in.url+"/any/path", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range c.signature {
			req.Header[name] = values
		}
		if c.pass != "" {
			req.Header.Set("Authorization", auth(c.pass).Get("Authorization"))
		}
		if got := do(t, req); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if n := len(in.queued(t)); n == 0 {
		t.Error("the good POST's event is not in okq")
	}
	in.stop()
	for _, secret := range []string{"secret", "wrong", "alex@example.com", "e-1"} {
		if strings.Contains(in.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, in.log)
		}
	}
}

func TestBodiesThatAreNotABatchAre400(t *testing.T) { onEachEngine(t, bodiesThatAreNotABatchAre400) }

func bodiesThatAreNotABatchAre400(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	ev := event("open", 1)
	for body, want := range map[string]int{
		``: 400, `null`: 400, `"x"`: 400, `5`: 400, `{}`: 400, ev: 400, `[`: 400, `[]]`: 400, `[] []`: 400, `[,]`: 400,
		`[1,2]`: 400, `[null]`: 400, `[` + ev + `,]`: 400, `[` + ev: 400, `[` + ev + `}`: 400, `[` + ev + `] x`: 400,
		`[` + ev + `{}]`: 400, `[` + ev + `,{"a":tru}]`: 400, `[` + ev + `,{"a" 1}]`: 400, `[` + ev + `,{a:1}]`: 400,
		"[" + ev + ",{\"a\":\"\n\"}]": 400, "\xef\xbb\xbf[]": 400, strings.Repeat("[", 100000): 400,
		`[]`: 200, " [ ] \r\n": 200, `[{}]`: 200,
	} {
		if got := in.post(t, []byte(body)); got != want {
			t.Errorf("%.60q: %d, want %d", body, got, want)
		}
	}
	if q := in.queued(t); len(q) > 0 {
		t.Errorf("part of a POST that was refused, or nothing at all, is in okq: %s", q)
	}
}

func TestABadElementDoesNotCostTheBatch(t *testing.T) {
	onEachEngine(t, aBadElementDoesNotCostTheBatch)
}

func aBadElementDoesNotCostTheBatch(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	first, last := event("delivered", 1), event("open", 2)
	bad := []string{
		`null`, `7`, `"x"`, `[]`, `[{"event":"open"}]`, `{}`, `{"event":null}`, `{"event":{}}`, `{"event":["open"]}`,
		`{"event":"","pmStatsID":"` + statsID + `"}`, `{"Event":"open","pmStatsID":"` + statsID + `"}`,
	}
	if got := in.post(t, []byte("["+first+","+strings.Join(bad, ",")+","+last+"]")); got != 200 {
		t.Fatalf("status %d", got)
	}
	wantQueued(t, in, first, last)
	if n := in.metric(t, "pm_hooks_events_total", "bad", "other"); n != float64(len(bad)) {
		t.Errorf("%v counted as bad, want %d", n, len(bad))
	}
}

func TestEventsAreKeptAsTheyCame(t *testing.T) { onEachEngine(t, eventsAreKeptAsTheyCame) }

func eventsAreKeptAsTheyCame(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	odd := `{ "event" : "op\u0065n", "timestamp":"1767225600" ,"pm\u0053tatsID":"` + statsID + `", "n": 1.00e2, "x":"\ud83d\ude00 é<&>", "event2":[{"event":"bounce"}] }`
	if got := in.post(t, []byte("["+odd+"\t,\r\n"+odd+"]\r\n")); got != 200 {
		t.Fatalf("status %d", got)
	}
	wantQueued(t, in, odd, odd)
}

func TestOnlyOurEventsOfAcceptedEnvironmentsAreKept(t *testing.T) {
	onEachEngine(t, onlyOurEventsOfAcceptedEnvironmentsAreKept)
}

func onlyOurEventsOfAcceptedEnvironmentsAreKept(t *testing.T, e engine) {
	with := func(fields string) string { return `{"event":"open",` + fields + `}` }
	id := `"pmStatsID":"` + statsID + `"`
	cases := []struct{ name, event, result string }{
		{"production", with(id + `,"pmEnvID":"production"`), "accepted"},
		{"staging", with(id + `,"pmEnvID":"staging"`), "accepted"},
		{"no environment is production, as in 0.4.0", with(id), "accepted"},
		{"empty environment", with(id + `,"pmEnvID":""`), "accepted"},
		{"environment of the wrong type is none", with(id + `,"pmEnvID":[1]`), "accepted"},
		{"another environment", with(id + `,"pmEnvID":"elsewhere"`), "other_env"},
		{"another environment, in another case", with(id + `,"pmEnvID":"Production"`), "other_env"},
		{"stats_id of before 0.4.0", with(`"stats_id":"` + statsID + `"`), "accepted"},
		{"stats_id and a pmStatsID that is not ours", with(`"stats_id":"` + statsID + `","pmStatsID":"x"`), "not_ours"},
		{"no stats id", with(`"email":"a@example.com"`), "not_ours"},
		{"a stats id that is none of ours", with(`"pmStatsID":"6920D5C40000000000000001"`), "not_ours"},
		{"of two stats ids the last counts", with(`"pmStatsID":"x",` + id), "accepted"},
	}
	okqd := e.start(t)
	for _, c := range cases {
		in := runOver(t, defaults(t), okqd.Addr)
		if got := in.post(t, []byte("["+c.event+"]")); got != 200 {
			t.Errorf("%s: status %d", c.name, got)
		}
		if n := in.metric(t, "pm_hooks_events_total", c.result, "open"); n != 1 {
			t.Errorf("%s: not counted as %s", c.name, c.result)
		}
		if kept := len(in.queued(t)) == 1; kept != (c.result == "accepted") {
			t.Errorf("%s: kept is %v", c.name, kept)
		}
	}
}

func TestEveryTypeOfEvent(t *testing.T) { onEachEngine(t, everyTypeOfEvent) }

func everyTypeOfEvent(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	wire := read(t, "sendgrid-events.wire")
	if got := in.post(t, wire); got != 200 {
		t.Fatalf("status %d", got)
	}
	var want, optOuts []string
	var raws []json.RawMessage
	if err := json.Unmarshal(wire, &raws); err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws {
		if e, err := job.DecodeEvent(raw); err == nil && e.Ours() {
			if e.Type == job.EventUnsubscribe || e.Type == job.EventGroupUnsubscribe {
				optOuts = append(optOuts, string(raw))
			} else {
				want = append(want, string(raw))
			}
			if in.metric(t, "pm_hooks_events_total", "accepted", e.Type) == 0 {
				t.Errorf("%s is not counted", e.Type)
			}
		}
	}
	want = append(optOuts, want...)
	if len(want) != len(raws)-1 {
		t.Fatalf("%d of the %d events are about a mail of ours, want all but account_status_change", len(want), len(raws))
	}
	wantQueued(t, in, want...)
	if n := in.metric(t, "pm_hooks_account_status_changes_total", "compliance_suspend"); n != 1 {
		t.Errorf("account_status_change counted %v times", n)
	}
	in.stop()
	if !strings.Contains(in.log.String(), `"level":"error","component":"webhook","sg_event":"account_status_change"`) {
		t.Errorf("account_status_change is not logged as an error:\n%s", in.log)
	}
}

func TestEveryTrap(t *testing.T) { onEachEngine(t, everyTrap) }

func everyTrap(t *testing.T, e engine) {
	var traps []struct {
		Why   string
		Event json.RawMessage
	}
	if err := json.Unmarshal(read(t, "sendgrid-events-edge.json"), &traps); err != nil {
		t.Fatal(err)
	}
	lost := map[string]bool{ // by the beginning of the reason
		"single-send": true, // marketing mail, not ours
		"unknown eve": true,
		"custom args": true, // another system's mail
	}
	in := e.run(t, defaults(t))
	var batch, want []string
	for _, trap := range traps {
		batch = append(batch, string(trap.Event))
		if !lost[trap.Why[:11]] {
			want = append(want, string(trap.Event))
		}
	}
	if len(want) != len(traps)-len(lost) {
		t.Fatalf("%d of %d traps expected to be kept", len(want), len(traps))
	}
	if got := in.post(t, []byte("["+strings.Join(batch, ",\r\n")+"]\r\n")); got != 200 {
		t.Fatalf("status %d", got)
	}
	wantQueued(t, in, want...)
	if n := in.metric(t, "pm_hooks_events_total", "unknown_type", "other"); n != 1 {
		t.Errorf("%v events of unknown type counted, want 1", n)
	}
	if n := in.metric(t, "pm_hooks_events_total", "not_ours", "open") + in.metric(t, "pm_hooks_events_total", "not_ours", "delivered"); n != 2 {
		t.Errorf("%v events counted as not ours, want 2", n)
	}
}

func TestAOneClickEventFromOutsideIsUnknown(t *testing.T) {
	onEachEngine(t, aOneClickEventFromOutsideIsUnknown)
}

func aOneClickEventFromOutsideIsUnknown(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	raw, err := job.EncodeOneClick("victim@example.com", 4, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.Replace(string(raw), "{", `{"pmStatsID":"`+statsID+`",`, 1)
	if got := in.post(t, []byte("["+ours+","+string(raw)+"]")); got != 200 {
		t.Fatalf("status %d", got)
	}
	wantQueued(t, in)
}

func TestAnyPathIsAnsweredWithoutRedirects(t *testing.T) {
	onEachEngine(t, anyPathIsAnsweredWithoutRedirects)
}

func anyPathIsAnsweredWithoutRedirects(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	for _, path := range []string{"/", "//", "/a//b/../c", "/.", "/%2e%2e/x?y=z"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(in.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"))
		answer := make([]byte, 12)
		if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 200" {
			t.Errorf("%s: %q, %v", path, answer, err)
		}
		conn.Close()
	}
}

func TestCompressedBodiesAreRefused(t *testing.T) { onEachEngine(t, compressedBodiesAreRefused) }

func compressedBodiesAreRefused(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(bytes.Repeat([]byte("[]"), 1<<20))
	z.Close()
	if got := in.post(t, bomb.Bytes(), http.Header{"Content-Encoding": {"gzip"}}); got != 415 {
		t.Errorf("status %d, want 415", got)
	}
}

// wantQueued checks that okq holds exactly these events in this order.
func wantQueued(t *testing.T, in *instance, want ...string) {
	t.Helper()
	got := in.queued(t)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing %s", want[i])
		case i >= len(want):
			t.Errorf("too much: %s", got[i])
		case string(got[i]) != want[i]:
			t.Errorf("event %d is\n%s, want\n%s", i, got[i], want[i])
		}
	}
}
