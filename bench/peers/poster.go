package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// poster has mails sent by SendGrid's API, as the handlers of the peers do it.
func poster(url string) func(ctx context.Context, mail []byte) error {
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	return func(ctx context.Context, payload []byte) error {
		var mail struct{ To, From, Subject, HTML string }
		if err := json.Unmarshal(payload, &mail); err != nil {
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
	}
}
