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
	"github.com/levenlabs/postmaster/bench/internal/sink"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// bench is the processes and what is measured on them.
type bench struct {
	dir, storeFlag, storeAt string
	inFlight                int
	okq                     *okq.Client
	okqAddr                 string
	okqd                    *process.Process
	sendgrid                *sink.SendGrid
	stops                   []func()
	sent                    []string // ids of all mails so far
}

func setUp(ctx context.Context, dir, store string, inFlight int) (*bench, error) {
	if err := process.Build(ctx, dir, "./cmd/okqd", "./cmd/pm-worker"); err != nil {
		return nil, err
	}
	b := &bench{dir: dir, inFlight: inFlight, sendgrid: sink.New()}
	b.stops = append(b.stops, b.sendgrid.Close)
	switch store {
	case "mongo":
		uri := os.Getenv("PM_TEST_MONGO")
		if uri == "" {
			return nil, errors.New("PM_TEST_MONGO is not set; `make services` starts a server")
		}
		base, query, _ := strings.Cut(uri, "?")
		b.storeFlag, b.storeAt = "--mongo-addr", strings.TrimRight(base, "/")+"/pmbench_"+strings.ToLower(rand.Text())+"?"+query
	case "sqlite":
		b.storeFlag, b.storeAt = "--sqlite", filepath.Join(dir, "pm.db")
	case "none":
		b.storeFlag, b.storeAt = "--sqlite", ""
	default:
		return nil, fmt.Errorf("-store %q", store)
	}
	okqd, err := process.Start("", filepath.Join(dir, "okqd"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(dir, "okq"))
	if err != nil {
		return nil, err
	}
	b.stops = append(b.stops, okqd.Stop)
	b.okqAddr, b.okqd = okqd.Addr, okqd
	b.okq, err = okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	return b, err
}

func (b *bench) tearDown() {
	b.okq.Close()
	for _, stop := range b.stops {
		stop()
	}
}

// worker starts a pm-worker; Addr is its ops endpoint.
func (b *bench) worker(queues string) (*process.Process, error) {
	return process.Start("ops", filepath.Join(b.dir, "pm-worker"), "--okq-addr", b.okqAddr, "--ops-addr", "127.0.0.1:0", b.storeFlag, b.storeAt, "--queues", queues,
		"--sendgrid-key", "SG.bench", "--sendgrid-url", b.sendgrid.URL, "--concurrency", fmt.Sprint(b.inFlight))
}
