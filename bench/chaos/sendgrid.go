package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// sendGrid is the sandbox, which is a process like the others but is never killed: what it accepted is in its memory.
type sendGrid struct {
	url  string
	http *http.Client
}

func newSendGrid(addr string) *sendGrid {
	return &sendGrid{"http://" + addr, &http.Client{Timeout: 30 * time.Second}}
}

// usual is what SendGrid does to mails all the time.
func usual() []faults.Rule {
	slow := faults.Sometimes(faults.Latency, .5)
	slow.Jitter = faults.Duration(100 * time.Millisecond)
	return []faults.Rule{
		slow, faults.Sometimes(faults.ServerError, .002), faults.Sometimes(faults.Unavailable, .01), faults.Sometimes(faults.Reset, .003),
		faults.Sometimes(faults.AcceptReset, .003), faults.Sometimes(faults.AcceptError, .002),
	}
}

func (s *sendGrid) setFaults(seed uint64, rules ...faults.Rule) error {
	return s.call(http.MethodPut, "/api/faults", faults.Menu{Seed: seed, Rules: rules}, nil)
}

func (s *sendGrid) publicKey() (string, error) {
	var answer struct {
		Key string `json:"public_key"`
	}
	err := s.call(http.MethodGet, "/api/webhook", nil, &answer)
	return answer.Key, err
}

func (s *sendGrid) setWebhook(url string) error {
	return s.call(http.MethodPut, "/api/webhook", map[string]string{"url": url}, nil)
}

func (s *sendGrid) counters() (c sandbox.Counters, err error) {
	return c, s.call(http.MethodGet, "/api/counters", nil, &c)
}

// accepted is how often the mail was.
func (s *sendGrid) accepted(id string) (int, error) {
	var answer struct{ Count int }
	err := s.call(http.MethodGet, "/api/accepted/"+id, nil, &answer)
	return answer.Count, err
}

// An acceptance says how often SendGrid accepted an email, and when last.
type acceptance struct {
	count int
	last  time.Time
}

// allAccepted returns the emails that were accepted, by id.
func (s *sendGrid) allAccepted(ctx context.Context) (map[string]acceptance, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/accepted", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	all := map[string]acceptance{}
	for d := json.NewDecoder(resp.Body); ; {
		var mail struct {
			ID    string
			Count int
			Last  int64
		}
		if err := d.Decode(&mail); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[mail.ID] = acceptance{mail.Count, time.UnixMilli(mail.Last)}
	}
}

func (s *sendGrid) call(method, path string, body, result any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if result == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(result)
}
