package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hibiken/asynq"
)

// mailTask is the type of the tasks.
const mailTask = "mail"

// play is one of asynq's two processes.
func play(role, redis, post string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announce := func() { fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", ln.Addr()) }
	connection := asynq.RedisClientOpt{Addr: redis}
	if role == "asynq-worker" {
		server := asynq.NewServer(connection, asynq.Config{Concurrency: inFlight, LogLevel: asynq.WarnLevel})
		announce()
		return server.Run(poster(post))
	}
	announce()
	return http.Serve(ln, acceptor(asynq.NewClient(connection)))
}

// acceptor takes the same JSON-RPC call as pm-api, and queues the mail in it as it is.
func acceptor(client *asynq.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var call struct{ Params json.RawMessage }
		if err == nil {
			err = json.Unmarshal(body, &call)
		}
		if err == nil {
			_, err = client.EnqueueContext(r.Context(), asynq.NewTask(mailTask, call.Params), asynq.Retention(time.Hour))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"success":true}}`) //nolint:errcheck // the caller has gone
	})
}

// poster has the mail of a task sent by SendGrid's API.
func poster(url string) asynq.Handler {
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		var mail struct{ To, From, Subject, HTML string }
		if err := json.Unmarshal(task.Payload(), &mail); err != nil {
			return err
		}
		type address struct {
			Email string `json:"email"`
		}
		body, err := json.Marshal(map[string]any{
			"personalizations": []any{map[string]any{"to": []address{{mail.To}}}}, "from": address{mail.From}, "subject": mail.Subject,
			"content": []any{map[string]string{"type": "text/html", "value": mail.HTML}},
		})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v3/mail/send", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer SG.bench")
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("SendGrid answered %s", resp.Status)
		}
		return nil
	})
}
