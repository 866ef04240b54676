package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// newQueue returns a client of addr, which need not be there yet.
func newQueue(t testing.TB, addr string) *okq.Client {
	t.Helper()
	c, err := okq.New(okq.Options{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// pop takes all events that a queue has now.
func pop(t testing.TB, q *okq.Client, queue string) []okq.Event {
	t.Helper()
	var all []okq.Event
	for {
		events, err := q.Pop(t.Context(), queue, 100, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
	}
}

// popMail takes the one mail that a queue has now.
func popMail(t testing.TB, q *okq.Client, queue string) (okq.Event, *job.Email) {
	t.Helper()
	events := pop(t, q, queue)
	if len(events) != 1 {
		t.Fatalf("%s has %d events, want 1", queue, len(events))
	}
	e, err := job.DecodeEmail(events[0].ID, events[0].Contents)
	if err != nil {
		t.Fatal(err)
	}
	return events[0], e
}

// withStores runs a test over each kind of store, beside a real okqd.
func withStores(t *testing.T, test func(t *testing.T, s *running, q *okq.Client, st *store.Stores)) {
	storetest.OnEach(t, func(t *testing.T, st *store.Stores) {
		q := newQueue(t, okqdtest.RunT(t).Addr)
		s := start(t, defaults(), Deps{Queue: q, Prefs: st.Prefs, Records: st.Stats, Keys: st.Keys})
		test(t, s, q, st)
	})
}

type enqueued struct {
	Success bool   `json:"success"`
	ID      job.ID `json:"id"`
}

// enqueueMail enqueues a mail that has to be taken.
func (r *running) enqueueMail(t testing.TB, params any) job.ID {
	t.Helper()
	var got enqueued
	if err := r.do(t, "Postmaster.Enqueue", params, &got); err != nil {
		t.Fatalf("Enqueue: %v", err)
	}
	if !got.Success || !got.ID.Valid() {
		t.Fatalf("Enqueue = %+v, want success and an id", got)
	}
	return got.ID
}

// everyField is a mail with all that an Email can have.
func everyField() map[string]any {
	var all map[string]any
	_ = json.Unmarshal([]byte(`{
		"to": "rcpt@example.com", "toName": "Rcpt", "from": "sender@example.com", "fromName": "Sender", "subject": "Hello <b> é 😀",
		"html": "<p>h\u0026i</p>", "text": "hi", "replyTo": "reply@example.com", "uniqueArgs": {"order": "7"}, "flags": 6,
		"uniqueID": "order-7", "cc": [{"email": "cc@example.com", "name": "CC"}], "bcc": [{"email": "bcc@example.com"}],
		"headers": {"X-A": "b"}, "categories": ["receipts"],
		"attachments": [{"content": "aGVsbG8=", "filename": "a.txt", "type": "text/plain", "disposition": "inline", "contentID": "a"}],
		"templateID": "d-1234", "templateData": {"name": "X", "n": 1.50}, "asmGroupID": 3, "ipPool": "pool", "priority": "high",
		"onUnknown": "hold"
	}`), &all)
	return all
}
