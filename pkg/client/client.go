// Package client calls pm-api, so that Go callers need not write JSON-RPC.
//
//	api := client.New("http://127.0.0.1:8992/")
//	id, err := api.Enqueue(ctx, &job.Email{To: "alex@example.com", From: "shop@example.org", Subject: "Hello", Text: "Hi"})
//
// A call that failed with ErrUnavailable, or without an answer, may be made again; give the Email an IdempotencyKey, so
// that one which did get through is not queued twice.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// A Client is safe for concurrent use.
type Client struct {
	url   string
	token string
	http  *http.Client
}

// Option changes a Client that New makes.
type Option func(*Client)

// Token is one of pm-api's --api-token.
func Token(token string) Option { return func(c *Client) { c.token = token } }

// HTTP is the client to call with, instead of one that gives up after a minute.
func HTTP(h *http.Client) Option { return func(c *Client) { c.http = h } }

// New returns a client of the pm-api at url.
func New(url string, opts ...Option) *Client {
	c := &Client{url: url, http: &http.Client{Timeout: time.Minute}}
	for _, o := range opts {
		o(c)
	}
	return c
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type response struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// call makes one call and reads its result into result, unless that is nil or the result is null.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(request{"2.0", 1, "Postmaster." + method, params})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	answer, err := c.post(ctx, body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var r response
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("%s: read answer: %w", method, err)
	}
	if r.Error != nil {
		return fmt.Errorf("%s: %w", method, r.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(r.Result, result)
}

func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return nil, fmt.Errorf("%w: %s", ErrUnavailable, resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return answer, nil
}

// Enqueue queues a mail and returns the ID it got. ErrInvalid names what is wrong with it.
func (c *Client) Enqueue(ctx context.Context, mail *job.Email) (job.ID, error) {
	var result struct {
		ID job.ID `json:"id"`
	}
	err := c.call(ctx, "Enqueue", mail, &result)
	return result.ID, err
}
