package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/caller"
	"github.com/levenlabs/postmaster/bench/internal/process"
)

// A system is okqd on disk, pm-api, pm-worker, and a SendGrid that tells when a POST came.
type system struct {
	api, worker *process.Process
	posts       chan time.Time
	stops       []func()
}

func setUp(ctx context.Context, dir, store string) (_ *system, err error) {
	s := &system{posts: make(chan time.Time, 16)}
	defer func() {
		if err != nil {
			s.tearDown()
		}
	}()
	if err := process.Build(ctx, dir, "./cmd/okqd", "./cmd/pm-api", "./cmd/pm-worker"); err != nil {
		return nil, err
	}
	at, err := storeFlags(dir, store)
	if err != nil {
		return nil, err
	}
	sendgrid := httptest.NewServer(http.HandlerFunc(s.take))
	s.stops = append(s.stops, sendgrid.Close)
	start := func(component, name string, args ...string) *process.Process {
		if err != nil {
			return nil
		}
		var p *process.Process
		if p, err = process.Start(component, filepath.Join(dir, name), args...); err == nil {
			s.stops = append(s.stops, p.Stop)
		}
		return p
	}
	okqd := start("", "okqd", "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(dir, "okq"))
	if err != nil {
		return nil, err
	}
	s.api = start("api", "pm-api", append([]string{"--okq-addr", okqd.Addr, "--listen-addr", "127.0.0.1:0", "--ops-addr", ""}, at...)...)
	s.worker = start("ops", "pm-worker", append([]string{"--okq-addr", okqd.Addr, "--ops-addr", "127.0.0.1:0", "--sendgrid-key", "SG.bench",
		"--sendgrid-url", sendgrid.URL}, at...)...)
	return s, err
}

func storeFlags(dir, store string) ([]string, error) {
	switch store {
	case "sqlite":
		return []string{"--sqlite", filepath.Join(dir, "pm.db")}, nil
	case "mongo":
		uri := os.Getenv("PM_TEST_MONGO")
		if uri == "" {
			return nil, errors.New("PM_TEST_MONGO is not set; `make services` starts a server")
		}
		base, query, _ := strings.Cut(uri, "?")
		return []string{"--mongo-addr", strings.TrimRight(base, "/") + "/pmbench_" + strings.ToLower(rand.Text()) + "?" + query}, nil
	}
	return nil, fmt.Errorf("-stores %q", store)
}

func (s *system) tearDown() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func (s *system) take(w http.ResponseWriter, r *http.Request) {
	came := time.Now()
	io.Copy(io.Discard, r.Body)
	w.Header().Set("X-Message-Id", "bench")
	w.WriteHeader(http.StatusAccepted)
	s.posts <- came
}

// send enqueues an email and waits until SendGrid has it.
func (s *system) send(ctx context.Context) (t trip, err error) {
	began := time.Now()
	resp, err := http.Post("http://"+s.api.Addr+"/", "application/json", bytes.NewReader(caller.Call()))
	if err != nil {
		return t, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	t.answered = time.Since(began)
	if err == nil && !bytes.Contains(answer, []byte(`"success":true`)) {
		err = fmt.Errorf("Enqueue: %s", answer)
	}
	if err != nil {
		return t, err
	}
	select {
	case came := <-s.posts:
		t.arrived = came.Sub(began)
		return t, nil
	case <-ctx.Done():
		return t, ctx.Err()
	case <-time.After(10 * time.Second):
		return t, errors.New("the email did not arrive")
	}
}

// showStoreCalls prints how long pm-worker's calls to the store took on average.
func (s *system) showStoreCalls() error {
	resp, err := http.Get("http://" + s.worker.Addr + "/metrics")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sums, counts := map[string]float64{}, map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		for suffix, into := range map[string]map[string]float64{"sum": sums, "count": counts} {
			if rest, ok := strings.CutPrefix(lines.Text(), "pm_worker_store_duration_seconds_"+suffix+`{call="`); ok {
				call, value, _ := strings.Cut(rest, `"} `)
				into[call], _ = strconv.ParseFloat(value, 64)
			}
		}
	}
	for _, call := range []string{"flags", "begin", "settle"} {
		fmt.Printf("  %-28s mean %5.2f ms\n", "  in pm-worker, "+call, 1000*sums[call]/max(counts[call], 1))
	}
	return lines.Err()
}
