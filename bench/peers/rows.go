package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

var rows = []row{
	{"postmaster: ledger and opt-outs in MongoDB", func(dir, redis, post string) (string, []*process.Process, error) {
		uri := os.Getenv("PM_TEST_MONGO")
		if uri == "" {
			return "", nil, errors.New("PM_TEST_MONGO is not set; `make services` starts a server")
		}
		base, query, _ := strings.Cut(uri, "?")
		return postmaster(dir, redis, post, "--mongo-addr", strings.TrimRight(base, "/")+"/pmbench_"+strings.ToLower(rand.Text())+"?"+query)
	}},
	{"postmaster: no store, as little as asynq knows", func(dir, redis, post string) (string, []*process.Process, error) {
		return postmaster(dir, redis, post)
	}},
	{"asynq: task kept as completed in Redis for an hour", func(_, redis, post string) (string, []*process.Process, error) {
		return peer("asynq", redis, post)
	}},
	{"river: job kept as completed in PostgreSQL for a day", func(_, _, post string) (string, []*process.Process, error) {
		server := os.Getenv("PM_TEST_POSTGRES")
		if server == "" {
			return "", nil, errors.New("PM_TEST_POSTGRES is not set; `make services` starts a server")
		}
		database, err := newRiverDatabase(context.Background(), server, "river_"+strings.ToLower(rand.Text()))
		if err != nil {
			return "", nil, err
		}
		return peer("river", database, post)
	}},
}

func postmaster(dir, redis, post string, store ...string) (addr string, all []*process.Process, err error) {
	const anywhere = "127.0.0.1:0"
	start := func(component, name string, args ...string) (string, error) {
		p, err := process.Start(component, filepath.Join(dir, name), args...)
		if err != nil {
			return "", err
		}
		all = append(all, p)
		return p.Addr, nil
	}
	okqd, err := start("", "okqd", "--listen-addr", anywhere, "--ops-addr", "", "--redis-addr", redis)
	if err != nil {
		return "", all, err
	}
	if addr, err = start("api", "pm-api", append([]string{"--listen-addr", anywhere, "--ops-addr", "", "--okq-addr", okqd}, store...)...); err != nil {
		return "", all, err
	}
	_, err = start("ops", "pm-worker", append([]string{
		"--okq-addr", okqd, "--ops-addr", anywhere, "--queues", "email-high,email-normal",
		"--sendgrid-key", "SG.bench", "--sendgrid-url", post, "--concurrency", fmt.Sprint(inFlight),
	}, store...)...)
	return addr, all, err
}

// peer starts this program twice, as the two processes of a peer.
func peer(name, queue, post string) (addr string, all []*process.Process, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	for _, role := range []string{roleWorker, roleAPI} {
		p, err := process.Start("", self, "-peer", name, "-role", role, "-queue", queue, "-post", post)
		if err != nil {
			return "", all, err
		}
		all, addr = append(all, p), p.Addr
	}
	return addr, all, nil
}
