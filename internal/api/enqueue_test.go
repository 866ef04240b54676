package api

import (
	"encoding/json"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

func TestEnqueuedMailIsInItsQueueAsItCame(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	params := everyField()
	params["fieldOfALaterVersion"] = map[string]any{"a": "<&>"}
	id := s.enqueueMail(t, params)

	event, e := popMail(t, q, job.QueueEmailHigh)
	if event.ID != string(id) || e.ID != id {
		t.Errorf("event %s holds mail %s, want %s twice", event.ID, e.ID, id)
	}
	var got map[string]any
	if err := json.Unmarshal(event.Contents, &got); err != nil {
		t.Fatalf("contents %s: %v", event.Contents, err)
	}
	delete(got, "id")
	params["flags"] = float64(6)
	if want := roundTrip(t, params); !reflect.DeepEqual(got, want) {
		t.Errorf("contents\n%v\nwant\n%v", got, want)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("out of the queue: %v", err)
	}
}

func roundTrip(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPriorityChoosesTheQueue(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	for priority, queue := range map[string]string{"": "email-normal", "normal": "email-normal", "high": "email-high"} {
		id := s.enqueueMail(t, mail(map[string]any{"priority": priority}))
		if event, _ := popMail(t, q, queue); event.ID != string(id) {
			t.Errorf("priority %q: %s has %s, want %s", priority, queue, event.ID, id)
		}
	}
}

func TestParamsAsAnArrayOfOne(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	id := s.enqueueMail(t, []any{mail(nil)})
	if event, e := popMail(t, q, job.QueueEmailNormal); event.ID != string(id) || e.To != "rcpt@example.com" {
		t.Errorf("event %s to %s, want %s", event.ID, e.To, id)
	}
	for _, params := range []any{[]any{}, []any{mail(nil), mail(nil)}, []any{1}, []any{nil}, []any{[]any{mail(nil)}}} {
		if err := s.do(t, "Postmaster.Enqueue", params, nil); err == nil || err.Code != CodeInvalidParams {
			t.Errorf("params %v: error %v, want -32602", params, err)
		}
	}
}

func TestIDOfTheCallerIsNotTaken(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	for _, name := range []string{"id", "ID", "Id"} {
		given := strings.Repeat("a", 24)
		id := s.enqueueMail(t, mail(map[string]any{name: given}))
		event, e := popMail(t, q, job.QueueEmailNormal)
		if string(id) == given || event.ID != string(id) || e.ID != id {
			t.Errorf("%s: answered %s, event %s, mail %s", name, id, event.ID, e.ID)
		}
	}
}

func TestLargeMailIsQueuedWhole(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	content := strings.Repeat("QUJD", 5<<20)
	params := mail(map[string]any{"attachments": []any{map[string]any{"content": content, "filename": "a.bin"}}})
	// The id of the call stands behind the params, where the mail's id is written.
	body := strings.TrimSuffix(enqueueCall(params), "}")
	body = strings.Replace(body, `{"id":1,`, `{`, 1) + `   ,  "id":"a rather long id of a call"}`
	status, answer := s.post(t, body)
	var resp response
	if err := json.Unmarshal([]byte(answer), &resp); err != nil || status != 200 {
		t.Fatalf("status %d, %s, %v", status, answer, err)
	}
	if string(resp.ID) != `"a rather long id of a call"` || resp.Error != nil {
		t.Fatalf("answer %s", answer)
	}
	_, e := popMail(t, q, job.QueueEmailNormal)
	if e.Attachments[0].Content != content || !strings.Contains(answer, string(e.ID)) {
		t.Errorf("mail %s has an attachment of %d bytes, want %d, and the id of %s", e.ID, len(e.Attachments[0].Content), len(content), answer)
	}
}

func TestLargeBatchKeepsItsCallsApart(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	var calls []string
	const n = 40
	for i := range n {
		calls = append(calls, strings.Replace(enqueueCall(mail(map[string]any{"uniqueID": strings.Repeat("x", i+1), "text": strings.Repeat("y", 5000)})), `"id":1`, `"id":"`+strings.Repeat("x", i+1)+`"`, 1))
	}
	_, answer := s.post(t, "["+strings.Join(calls, ",")+"]")
	var all []response
	if err := json.Unmarshal([]byte(answer), &all); err != nil || len(all) != n {
		t.Fatalf("%d answers, %v", len(all), err)
	}
	ids := map[string]string{} // of the mail, to its call's
	for i, r := range all {
		var got enqueued
		if err := json.Unmarshal(r.Result, &got); err != nil {
			t.Fatalf("answer %d: %v %v", i, r.Error, err)
		}
		if want := `"` + strings.Repeat("x", i+1) + `"`; string(r.ID) != want {
			t.Errorf("answer %d has id %s, want %s", i, r.ID, want)
		}
		ids[string(got.ID)] = strings.Repeat("x", i+1)
	}
	events := pop(t, q, job.QueueEmailNormal)
	if len(events) != n {
		t.Fatalf("%d events, want %d", len(events), n)
	}
	for _, event := range events {
		if e, err := job.DecodeEmail(event.ID, event.Contents); err != nil || e.UniqueID != ids[event.ID] {
			t.Errorf("event %s has the mail of another call: %v, %v", event.ID, e, err)
		}
	}
}

func TestSendAtKeepsTheMailBack(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q})
	at := time.Now().Add(3 * time.Second).Unix()
	s.enqueueMail(t, mail(map[string]any{"sendAt": at}))
	s.enqueueMail(t, mail(map[string]any{"sendAt": at + 1e9}))
	s.enqueueMail(t, mail(map[string]any{"sendAt": 1}))
	if n := len(pop(t, q, job.QueueEmailNormal)); n != 1 && time.Now().Unix() < at {
		t.Errorf("%d mails at once, want the one whose time has passed", n)
	}
	var events []okq.Event
	waitFor(t, func() bool { events = append(events, pop(t, q, job.QueueEmailNormal)...); return len(events) > 0 })
	if now := time.Now().Unix(); now < at || len(events) != 1 {
		t.Errorf("%d mails at %d, want one from %d on", len(events), now, at)
	}
}

func TestOKQAwayIsSaidQuicklyAndItsReturnIsNoticed(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	s := start(t, defaults(), Deps{Queue: newQueue(t, addr)})
	began := time.Now()
	rpc := s.do(t, "Postmaster.Enqueue", mail(nil), nil)
	if rpc == nil || rpc.Code != CodeUnavailable || rpc.Data != nil {
		t.Errorf("error %v, want -32002", rpc)
	}
	if took := time.Since(began); took > 2*pushTimeout {
		t.Errorf("it took %v", took)
	}
	okqdtest.RunT(t, okqdtest.WithAddr(addr))
	waitFor(t, func() bool { return s.do(t, "Postmaster.Enqueue", mail(nil), nil) == nil })
}

func TestOKQThatHangsIsSaidQuickly(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := start(t, defaults(), Deps{Queue: newQueue(t, ln.Addr().String())})
	began := time.Now()
	if rpc := s.do(t, "Postmaster.Enqueue", mail(nil), nil); rpc == nil || rpc.Code != CodeUnavailable {
		t.Errorf("error %v, want -32002", rpc)
	}
	if took := time.Since(began); took > 3*pushTimeout {
		t.Errorf("it took %v", took)
	}
}

func TestUnexpectedErrorTellsNothingOfTheInside(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{err: errSome}})
	rpc := s.do(t, "Postmaster.Enqueue", mail(nil), nil)
	if rpc == nil || rpc.Code != CodeInternal || rpc.Message != "Internal error" || rpc.Data != nil {
		t.Errorf("error %+v, want a bare -32603", rpc)
	}
}

func TestPushThatArrivedWithoutItsAnswerIsSuccess(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: &deaf{Queue: q}})
	id := s.enqueueMail(t, mail(nil))
	if event, _ := popMail(t, q, job.QueueEmailNormal); event.ID != string(id) {
		t.Errorf("event %s, want %s", event.ID, id)
	}
}

func TestOKQWithoutDelaysGetsTheMailAtOnce(t *testing.T) {
	t.Parallel()
	m := &memory{}
	s := start(t, defaults(), Deps{Queue: &noDelay{m}})
	s.enqueueMail(t, mail(map[string]any{"sendAt": time.Now().Add(time.Hour).Unix()}))
	if m.len() != 1 {
		t.Errorf("%d events, want 1", m.len())
	}
}

func TestWrongTypeNamesTheField(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for field, value := range map[string]any{
		"to": 5, "subject": []any{}, "html": true, "flags": "2", "uniqueArgs": "x", "cc": map[string]any{}, "headers": []any{},
		"categories": "x", "attachments": 1, "sendAt": "now", "sendBefore": 1.5, "asmGroupID": "1", "id": 5,
		"idempotencyKey": 7, "toName": map[string]any{},
	} {
		rpc := s.do(t, "Postmaster.Enqueue", mail(map[string]any{field: value}), nil)
		wantInvalid(t, rpc, field)
	}
	wantInvalid(t, s.do(t, "Postmaster.Enqueue", mail(map[string]any{"uniqueArgs": map[string]any{"a": 1}}), nil), "uniqueArgs")
	wantInvalid(t, s.do(t, "Postmaster.Enqueue", mail(map[string]any{"cc": []any{map[string]any{"email": 1}}}), nil), "cc[0].email")
	wantInvalid(t, s.do(t, "Postmaster.Enqueue", mail(map[string]any{"cc": []any{5}}), nil), "cc[0]")
}

func TestFaultNamesTheField(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for field, change := range map[string]map[string]any{
		"to":                     {"to": nil},
		"from":                   {"from": "jörg@example.com"},
		"subject":                {"subject": nil},
		"html":                   {"text": nil},
		"flags":                  {"flags": 1},
		"uniqueArgs.pmEnvID":     {"uniqueArgs": map[string]any{"pmEnvID": "x"}},
		"cc[0].email":            {"cc": []any{map[string]any{"email": "RCPT@example.com"}}},
		"attachments[0].content": {"attachments": []any{map[string]any{"content": "?", "filename": "a"}}},
		"priority":               {"priority": "urgent"},
	} {
		wantInvalid(t, s.do(t, "Postmaster.Enqueue", mail(change), nil), field)
	}
	wantInvalid(t, s.do(t, "Postmaster.Enqueue", mail(map[string]any{"to": "A@TEST"}), nil), "to")
}

// wantInvalid wants -32602 with the field in the data and at the beginning of the message.
func wantInvalid(t *testing.T, rpc *rpcError, field string) {
	t.Helper()
	if rpc == nil || rpc.Code != CodeInvalidParams || rpc.Data == nil || rpc.Data.Field != field || rpc.Data.Reason == "" ||
		!strings.HasPrefix(rpc.Message, field) {
		t.Errorf("error %+v, want -32602 for %s", rpc, field)
	}
}
