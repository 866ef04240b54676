package api

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/jhttp"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// TestAnotherLibrarysClient calls with a JSON-RPC client that other people wrote.
func TestAnotherLibrarysClient(t *testing.T) {
	withStores(t, func(t *testing.T, s *running, q *okq.Client, _ *store.Stores) {
		c := jrpc2.NewClient(jhttp.NewChannel(s.url, nil), nil)
		defer c.Close()
		ctx := t.Context()
		var got enqueued
		if err := c.CallResult(ctx, "Postmaster.Enqueue", mail(nil), &got); err != nil {
			t.Fatal(err)
		}
		if event, _ := popMail(t, q, job.QueueEmailNormal); event.ID != string(got.ID) {
			t.Errorf("event %s, want %s", event.ID, got.ID)
		}
		if err := c.Notify(ctx, "Postmaster.UpdatePrefs", obj{"email": "a@example.com", "flags": 6}); err != nil {
			t.Errorf("notification: %v", err)
		}
		waitFor(t, func() bool { return s.flags(t, "a@example.com") == 6 })

		_, err := c.Call(ctx, "Postmaster.Enqueue", mail(obj{"to": "x"}))
		var rpc *jrpc2.Error
		var data fieldData
		if !errors.As(err, &rpc) || rpc.Code != jrpc2.InvalidParams || rpc.Message != "to is not an email address" {
			t.Fatalf("error %v, want -32602 for to", err)
		}
		if err := json.Unmarshal(rpc.Data, &data); err != nil || data.Field != "to" {
			t.Errorf("data %+v, %v; want the field to", data, err)
		}
		if _, err := c.Call(ctx, "Postmaster.None", nil); !errors.As(err, &rpc) || rpc.Code != jrpc2.MethodNotFound {
			t.Errorf("error %v, want -32601", err)
		}

		answers, err := c.Batch(ctx, []jrpc2.Spec{
			{Method: "Postmaster.GetPrefs", Params: []obj{{"email": "A@example.com"}}},
			{Method: "Postmaster.UpdatePrefs", Params: obj{"email": "b@example.com", "flags": 2}, Notify: true},
			{Method: "Postmaster.GetPrefs", Params: obj{}},
			{Method: "Postmaster.Enqueue", Params: mail(nil)},
		})
		if err != nil || len(answers) != 3 {
			t.Fatalf("%d answers, %v; want 3", len(answers), err)
		}
		var flags getPrefsResult
		if err := answers[0].UnmarshalResult(&flags); err != nil || flags.Flags != 6 {
			t.Errorf("first answer %+v, %v; want 6", flags, err)
		}
		if err := answers[1].Error(); err == nil || err.Code != jrpc2.InvalidParams {
			t.Errorf("second answer %v, want -32602", err)
		}
		if err := answers[2].UnmarshalResult(&got); err != nil || !got.Success {
			t.Errorf("third answer %+v, %v", got, err)
		}
	})
}
