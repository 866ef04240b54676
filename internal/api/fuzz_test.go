package api

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
)

// newFuzzed is a server that is called without a network.
func newFuzzed(f *testing.F) (*Server, *memory) {
	q := &memory{}
	s, err := New(defaults(), Deps{Queue: q, Prefs: down{}, Records: down{}, Keys: forgetful{}}, zerolog.New(io.Discard), newRegistry())
	if err != nil {
		f.Fatal(err)
	}
	return s, q
}

// FuzzRequest: whatever comes, the answer is nothing, a Response or a list of them, no longer than what came allows,
// and all that is queued is a mail under its own id.
func FuzzRequest(f *testing.F) {
	for _, tc := range specExamples {
		f.Add([]byte(tc.request), false)
	}
	f.Add([]byte(enqueueCall(mail(nil))), true)
	f.Add([]byte("["+enqueueCall(everyField())+","+enqueueCall([]any{mail(obj{"id": "x"})})+"]"), true)
	s, q := newFuzzed(f)
	log := zerolog.Nop()
	f.Fuzz(func(t *testing.T, raw []byte, owned bool) {
		q.events = nil
		given := bytes.Clone(raw)
		answer, release := s.answer(t.Context(), body{append(make([]byte, 0, len(raw)+idRoom), raw...), owned}, &log)
		release()
		checkAnswer(t, given, answer)
		for _, event := range q.events {
			e, err := job.DecodeEmail(event.ID, event.Contents)
			if err != nil || string(e.ID) != event.ID || e.Validate() != nil {
				t.Errorf("queued %s under %s: %v", event.Contents, event.ID, err)
			}
			if owned && !bytes.Contains(given, event.Contents[:len(event.Contents)-idRoom-1]) {
				t.Errorf("queued %s, which is not what came", event.Contents)
			}
		}
	})
}

func checkAnswer(t *testing.T, request, answer []byte) {
	t.Helper()
	if answer == nil {
		return
	}
	if len(answer) > 2*len(request)+len(openRPC)*(1+len(request)/30)+1000 {
		t.Errorf("%d bytes answer %d", len(answer), len(request))
	}
	list := answer
	if list[0] != '[' {
		list = append(append([]byte{'['}, answer...), ']')
	}
	var all []response
	if err := json.Unmarshal(list, &all); err != nil {
		t.Fatalf("answer %s: %v", answer, err)
	}
	for _, r := range all {
		if r.Version != "2.0" || r.ID == nil || (r.Error == nil) == (r.Result == nil) {
			t.Errorf("answer %s is no Response", answer)
		}
		if r.Error != nil && r.Error.Code == CodeInternal {
			t.Errorf("answer %s to %s", answer, request)
		}
	}
}

// FuzzEnqueue: the params of an Enqueue are refused with a field, or queued as a mail that has them.
func FuzzEnqueue(f *testing.F) {
	for _, m := range []obj{mail(nil), everyField(), mail(obj{"sendAt": 5, "idempotencyKey": "k"}), mail(obj{"to": "a@TEST"})} {
		b, _ := json.Marshal(m)
		f.Add(b)
	}
	s, q := newFuzzed(f)
	log := zerolog.Nop()
	f.Fuzz(func(t *testing.T, params []byte) {
		if !validJSON(params) {
			return
		}
		q.events = nil
		params = skipSpace(params)
		raw := append(append([]byte(`{"jsonrpc":"2.0","method":"Postmaster.Enqueue","params":`), params...), `,"id":1}`...)
		var r response
		answer, release := s.answer(t.Context(), body{bytes: raw}, &log)
		release()
		if err := json.Unmarshal(answer, &r); err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Error == nil && len(q.events) != 1:
			t.Errorf("success, and %d mails queued", len(q.events))
		case r.Error != nil && len(q.events) != 0:
			t.Errorf("%v, and %d mails queued", r.Error, len(q.events))
		case r.Error != nil && r.Error.Code == CodeInvalidParams && (r.Error.Data == nil || r.Error.Data.Field == ""):
			t.Errorf("%v names no field", r.Error)
		case r.Error != nil && r.Error.Code != CodeInvalidParams && r.Error.Code != CodeInvalidRequest:
			t.Errorf("%+v for %s", r.Error, params)
		}
	})
}
