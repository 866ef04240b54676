package api

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

type obj = map[string]any

func (r *running) flags(t *testing.T, email string) int64 {
	t.Helper()
	var got getPrefsResult
	if err := r.do(t, "Postmaster.GetPrefs", obj{"email": email}, &got); err != nil {
		t.Fatalf("GetPrefs %s: %v", email, err)
	}
	return got.Flags
}

func (r *running) succeed(t *testing.T, method string, params any) {
	t.Helper()
	var got success
	if err := r.do(t, method, params, &got); err != nil || !got.Success {
		t.Fatalf("%s %v = %+v, %v", method, params, got, err)
	}
}

func TestPrefs(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, _ *okq.Client, _ *store.Stores) {
		if got := s.flags(t, "nobody@example.com"); got != 1 {
			t.Errorf("unknown address has %d, want 1", got)
		}
		s.succeed(t, "Postmaster.UpdatePrefs", obj{"email": "A@Example.com", "flags": 6})
		if a, b := s.flags(t, "A@Example.com"), s.flags(t, "a@example.com"); a != 6 || b != 6 {
			t.Errorf("flags %d, and in another case %d; want 6", a, b)
		}
		s.succeed(t, "Postmaster.UpdatePrefs", []obj{{"email": "a@example.com", "flags": 1}})
		if got := s.flags(t, "a@example.com"); got != 1 {
			t.Errorf("flags %d after opting into everything, want 1", got)
		}
	})
}

func TestMovePrefs(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, _ *okq.Client, _ *store.Stores) {
		s.succeed(t, "Postmaster.UpdatePrefs", obj{"email": "old@example.com", "flags": 4})
		s.succeed(t, "Postmaster.MovePrefs", obj{"oldEmail": "Old@example.com", "newEmail": "new@example.com"})
		if o, n := s.flags(t, "old@example.com"), s.flags(t, "new@example.com"); o != 4 || n != 4 {
			t.Errorf("old has %d, new has %d; want 4 and 4", o, n)
		}
		s.succeed(t, "Postmaster.MovePrefs", obj{"oldEmail": "none@example.com", "newEmail": "new@example.com"})
		s.succeed(t, "Postmaster.MovePrefs", obj{"oldEmail": "New@example.com", "newEmail": "new@EXAMPLE.com"})
		if n := s.flags(t, "new@example.com"); n != 4 {
			t.Errorf("new has %d after moves of nothing, want 4", n)
		}
	})
}

func TestFaultsOfPrefsAndLookups(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for _, tc := range []struct {
		method string
		params any
		field  string
	}{
		{"UpdatePrefs", nil, "email"},
		{"UpdatePrefs", obj{"email": "x", "flags": 2}, "email"},
		{"UpdatePrefs", obj{"email": "a@example.com"}, "flags"},
		{"UpdatePrefs", obj{"email": "a@example.com", "flags": 0}, "flags"},
		{"UpdatePrefs", obj{"email": "a@example.com", "flags": "2"}, "flags"},
		{"MovePrefs", obj{"newEmail": "a@example.com"}, "oldEmail"},
		{"MovePrefs", obj{"oldEmail": "a@example.com"}, "newEmail"},
		{"MovePrefs", obj{"oldEmail": "a@example.com", "newEmail": "b@example.com\n"}, "newEmail"},
		{"GetPrefs", []obj{{}}, "email"},
		{"GetPrefs", obj{"email": 5}, "email"},
		{"GetLastEmail", obj{"uniqueID": "x"}, "to"},
		{"GetLastEmail", obj{"to": "a@example.com"}, "uniqueID"},
		{"GetEmail", obj{}, "id"},
		{"GetEmail", obj{"id": "xyz"}, "id"},
	} {
		wantInvalid(t, s.do(t, "Postmaster."+tc.method, tc.params, nil), tc.field)
	}
}

func TestWithoutStore(t *testing.T) {
	t.Parallel()
	m := &memory{}
	s := start(t, defaults(), Deps{Queue: m})
	for method, params := range map[string]obj{
		"UpdatePrefs":  {"email": "a@example.com", "flags": 2},
		"MovePrefs":    {"oldEmail": "a@example.com", "newEmail": "b@example.com"},
		"GetPrefs":     {"email": "a@example.com"},
		"GetLastEmail": {"to": "a@example.com", "uniqueID": "x"},
		"GetEmail":     {"id": strings.Repeat("a", 24)},
		"Enqueue":      mail(obj{"idempotencyKey": "k"}),
	} {
		if rpc := s.do(t, "Postmaster."+method, params, nil); rpc == nil || rpc.Code != CodeNoStore {
			t.Errorf("%s: %v, want -32001", method, rpc)
		}
	}
	s.enqueueMail(t, mail(nil))
	if m.len() != 1 {
		t.Errorf("%d mails queued, want the one without a key", m.len())
	}
}

func TestLookups(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, _ *okq.Client, st *store.Stores) {
		ctx, created := t.Context(), time.Unix(1_700_000_000, 0)
		var none *getEmailResult
		id := job.NewID()
		if err := s.do(t, "Postmaster.GetEmail", obj{"id": id}, &none); err != nil || none != nil {
			t.Errorf("GetEmail of a mail that there is not = %+v, %v; want null", none, err)
		}
		last := func() *stat {
			var got getLastEmailResult
			if err := s.do(t, "Postmaster.GetLastEmail", obj{"to": "A@example.com", "uniqueID": "u"}, &got); err != nil {
				t.Fatal(err)
			}
			return got.Stat
		}
		subject := stats.Subject{ID: id, Recipient: "A@example.com", EmailFlags: 6, UniqueID: "u", Env: "dev", Created: created}
		if _, err := st.Stats.Begin(ctx, []stats.Attempt{{Subject: subject, Number: 1, Token: "t", At: created}}); err != nil {
			t.Fatal(err)
		}
		if got := last(); got != nil {
			t.Errorf("GetLastEmail shows a mail that was not accepted: %+v", got)
		}
		if err := st.Stats.Settle(ctx, []stats.Settlement{{Subject: subject, Number: 1, State: stats.Accepted, At: created.Add(time.Second)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Stats.Fold(ctx, []job.Event{
			{Type: job.EventDelivered, StatsID: id, Email: "A@example.com", At: created.Add(2 * time.Second)},
			{Type: job.EventBounce, StatsID: id, Email: "A@example.com", At: created.Add(3 * time.Second), Reason: "500 no"},
		}); err != nil {
			t.Fatal(err)
		}
		got := last()
		want := &stat{
			Recipient: "A@example.com", EmailFlags: 6, StateFlags: 2 | 8, UniqueID: "u", SentEnv: "dev",
			TSCreated: created.Unix(), TSUpdated: got.TSUpdated, Error: "500 no",
		}
		if !reflect.DeepEqual(got, want) || got.TSUpdated < created.Unix() {
			t.Errorf("GetLastEmail = %+v, want %+v", got, want)
		}
		var e getEmailResult
		if err := s.do(t, "Postmaster.GetEmail", obj{"id": strings.ToUpper(string(id))}, &e); err != nil {
			t.Fatal(err)
		}
		if e.Email.ID != id || e.Email.State != "accepted" || e.Email.Attempts != 1 || e.Email.Reason != "500 no" || !reflect.DeepEqual(e.Email.Stat, want) {
			t.Errorf("GetEmail = %+v, want it accepted with %+v", e.Email, want)
		}
	})
}

func TestMailThatWaitsIsFoundInItsQueue(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, _ *okq.Client, _ *store.Stores) {
		later := time.Now().Add(time.Hour).Unix()
		for state, params := range map[stats.State]obj{
			stateQueued: {"priority": "high", "flags": 4, "uniqueID": "u"}, stateScheduled: {"sendAt": later, "flags": 4, "uniqueID": "u"},
		} {
			params := mail(params)
			id := s.enqueueMail(t, params)
			var got getEmailResult
			if err := s.do(t, "Postmaster.GetEmail", obj{"id": id}, &got); err != nil {
				t.Fatal(err)
			}
			want := &stat{
				Recipient: params["to"].(string), EmailFlags: 4, UniqueID: "u", TSCreated: unix(id.Time()), TSUpdated: unix(id.Time()),
			}
			if got.Email.ID != id || got.Email.State != state || got.Email.Attempts != 0 || !reflect.DeepEqual(got.Email.Stat, want) {
				t.Errorf("GetEmail = %+v, want it %s with %+v", got.Email, state, want)
			}
		}
	})
}

func TestIdempotencyKeyMakesOneMailOfManyCalls(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, q *okq.Client, _ *store.Stores) {
		ids := make([]job.ID, 12)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { ids[i] = s.enqueueMail(t, mail(obj{"idempotencyKey": "k"})) })
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("ids %v, want one", ids)
			}
		}
		if events := pop(t, q, job.QueueEmailNormal); len(events) != 1 || events[0].ID != string(ids[0]) {
			t.Errorf("queued %v, want %s once", events, ids[0])
		}
		other := s.enqueueMail(t, mail(obj{"idempotencyKey": "other"}))
		if events := pop(t, q, job.QueueEmailNormal); len(events) != 1 || events[0].ID != string(other) || other == ids[0] {
			t.Errorf("queued %v, want %s", events, other)
		}
		rpc := s.do(t, "Postmaster.Enqueue", mail(obj{"idempotencyKey": "k", "text": "another"}), nil)
		if rpc == nil || rpc.Code != CodeKeyReused {
			t.Errorf("another mail under the key: %v, want -32003", rpc)
		}
		if events := pop(t, q, job.QueueEmailNormal); len(events) != 0 {
			t.Errorf("%d mails queued by a refused call", len(events))
		}
	})
}

// TestKeyHealsAfterACrash: what a crash between the record of a key and the push leaves is a claim and no mail.
func TestKeyHealsAfterACrash(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, q *okq.Client, _ *store.Stores) {
		crashing := start(t, defaults(), Deps{Queue: &memory{err: okq.ErrClosed}, Keys: s.deps.Keys})
		if rpc := crashing.do(t, "Postmaster.Enqueue", mail(obj{"idempotencyKey": "k"}), nil); rpc == nil {
			t.Fatal("a push that failed was a success")
		}
		id := s.enqueueMail(t, mail(obj{"idempotencyKey": "k"}))
		if again := s.enqueueMail(t, mail(obj{"idempotencyKey": "k"})); again != id {
			t.Errorf("ids %s and %s", id, again)
		}
		event, _ := popMail(t, q, job.QueueEmailNormal)
		if event.ID != string(id) {
			t.Errorf("event %s, want %s", event.ID, id)
		}
		if _, err := q.Ack(t.Context(), event.Queue, event.ID); err != nil {
			t.Fatal(err)
		}
		s.enqueueMail(t, mail(obj{"idempotencyKey": "k"}))
		if events := pop(t, q, job.QueueEmailNormal); len(events) != 0 {
			t.Errorf("a mail that is done was queued again: %v", events)
		}
	})
}

func TestFingerprintIsOfTheMailAndNotOfItsSpelling(t *testing.T) {
	t.Parallel()
	base := `{"to":"a@b.c","from":"d@e.f","subject":"s","text":"t","headers":{"X-A":"1","X-B":"2"},"templateID":"d-1",` +
		`"templateData":{"a":1,"b":[1.0]},"attachments":[{"content":"QUJD","filename":"f"}],"idempotencyKey":"k"}`
	print := func(raw string) string {
		t.Helper()
		ticket, err := newTicket([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return string(ticket.print)
	}
	same := []string{
		" " + base + " ",
		strings.Replace(base, `"X-A":"1","X-B":"2"`, `"X-B":"2", "X-\u0041":"\u0031"`, 1),
		strings.Replace(base, `"a":1,"b":[1.0]`, `"b" : [1.0],"a":1`, 1),
		strings.Replace(base, `"to"`, `"unknown":5,"id":"x","to"`, 1),
		strings.Replace(base, `"k"}`, `"another"}`, 1),
	}
	for _, raw := range same {
		if print(raw) != print(base) {
			t.Errorf("another print for %s", raw)
		}
	}
	for _, pair := range [][2]string{
		{`"t"`, `"u"`}, {`"X-B":"2"`, `"X-B":"3"`}, {`"a":1`, `"a":2`}, {`[1.0]`, `[1]`}, {`"QUJD"`, `"QUJE"`},
		{`"filename":"f"`, `"filename":"f","type":"x"`}, {`}],"idem`, `},{"content":"QUJD","filename":"f"}],"idem`},
		{`"subject"`, `"priority":"high","subject"`}, {`"subject"`, `"sendAt":5,"subject"`},
	} {
		if raw := strings.Replace(base, pair[0], pair[1], 1); raw == base || print(raw) == print(base) {
			t.Errorf("the same print for %s", raw)
		}
	}
}

// down is a store whose server is away.
type down struct{}

func (down) Flags(context.Context, []string) (map[string]int64, error) {
	return nil, fmt.Errorf("x: %w", prefs.ErrUnavailable)
}

func (down) SetFlags(context.Context, string, int64, time.Time) error { return prefs.ErrUnavailable }

func (down) Move(context.Context, string, string, time.Time) error { return prefs.ErrUnavailable }

func (down) Lookup(context.Context, []job.ID) (map[job.ID]*stats.Record, error) {
	return nil, stats.ErrUnavailable
}

func (down) Last(context.Context, string, string) (*stats.Record, error) {
	return nil, stats.ErrUnavailable
}

func (down) Claim(context.Context, string, idempotency.Claim) (idempotency.Claim, error) {
	return idempotency.Claim{}, idempotency.ErrUnavailable
}

func (down) Confirm(context.Context, string, job.ID) error { return idempotency.ErrUnavailable }

func TestStoreAwayIsSaidAndEnqueueGoesOn(t *testing.T) {
	t.Parallel()
	q := newQueue(t, okqdtest.RunT(t).Addr)
	s := start(t, defaults(), Deps{Queue: q, Prefs: down{}, Records: down{}, Keys: down{}})
	for method, params := range map[string]obj{
		"UpdatePrefs":  {"email": "a@example.com", "flags": 2},
		"MovePrefs":    {"oldEmail": "a@example.com", "newEmail": "b@example.com"},
		"GetPrefs":     {"email": "a@example.com"},
		"GetLastEmail": {"to": "a@example.com", "uniqueID": "x"},
		"GetEmail":     {"id": strings.Repeat("a", 24)},
		"Enqueue":      mail(obj{"idempotencyKey": "k"}),
	} {
		if rpc := s.do(t, "Postmaster."+method, params, nil); rpc == nil || rpc.Code != CodeUnavailable {
			t.Errorf("%s: %v, want -32002", method, rpc)
		}
	}
	s.enqueueMail(t, mail(nil))
	if events := pop(t, q, job.QueueEmailNormal); len(events) != 1 {
		t.Errorf("%d mails queued, want 1", len(events))
	}
}

func TestFailureToConfirmIsNoneOfTheCallers(t *testing.T) {
	t.Parallel()
	m := &memory{}
	s := start(t, defaults(), Deps{Queue: m, Keys: forgetful{}})
	s.enqueueMail(t, mail(obj{"idempotencyKey": "k"}))
}

// forgetful is a store that goes away after a claim.
type forgetful struct{ down }

func (forgetful) Claim(_ context.Context, _ string, c idempotency.Claim) (idempotency.Claim, error) {
	return c, nil
}
