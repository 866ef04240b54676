package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// everyCall returns the error of each method of both stores, each with little time.
func everyCall(t *testing.T, s *store.Stores) map[string]error {
	t.Helper()
	id := job.NewID()
	subject := stats.Subject{ID: id, Recipient: "a@example.com", Created: time.Now()}
	calls := map[string]func(context.Context) error{
		"Flags":    func(ctx context.Context) error { _, err := s.Prefs.Flags(ctx, []string{"a@example.com"}); return err },
		"SetFlags": func(ctx context.Context) error { return s.Prefs.SetFlags(ctx, "a@example.com", 4, time.Now()) },
		"Move": func(ctx context.Context) error {
			return s.Prefs.Move(ctx, "a@example.com", "b@example.com", time.Now())
		},
		"Record": func(ctx context.Context) error {
			_, err := s.Prefs.Record(ctx, []prefs.Incident{{Address: "a@example.com", Kind: prefs.Bounce, At: time.Now()}})
			return err
		},
		"Lookup": func(ctx context.Context) error { _, err := s.Stats.Lookup(ctx, []job.ID{id}); return err },
		"Begin": func(ctx context.Context) error {
			_, err := s.Stats.Begin(ctx, []stats.Attempt{{Subject: subject, Number: 1, Token: "t", At: time.Now()}})
			return err
		},
		"Settle": func(ctx context.Context) error {
			return s.Stats.Settle(ctx, []stats.Settlement{{Subject: subject, Number: 1, State: stats.Accepted, At: time.Now()}})
		},
		"Fold": func(ctx context.Context) error {
			_, err := s.Stats.Fold(ctx, []job.Event{{StatsID: id, Type: job.EventOpen, At: time.Now()}})
			return err
		},
		"Last": func(ctx context.Context) error { _, err := s.Stats.Last(ctx, "a@example.com", "u"); return err },
	}
	errs := map[string]error{}
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		errs[name] = call(ctx)
		cancel()
	}
	return errs
}

func isUnavailable(err error) bool {
	return errors.Is(err, prefs.ErrUnavailable) || errors.Is(err, stats.ErrUnavailable)
}

// A relay forwards connections to a server until it is cut.
type relay struct {
	net.Listener
	to    string
	mu    sync.Mutex // protects the fields below
	isCut bool
	conns []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: listener, to: to}
	var wg sync.WaitGroup
	t.Cleanup(func() { listener.Close(); r.setCut(true); wg.Wait() })
	wg.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			if conn := r.connect(from); conn != nil {
				wg.Go(func() { io.Copy(conn, from); conn.Close() })
				wg.Go(func() { io.Copy(from, conn); from.Close() })
			}
		}
	})
	return r
}

func (r *relay) connect(from net.Conn) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	conn, err := net.Dial("tcp", r.to)
	if err != nil || r.isCut {
		from.Close()
		return nil
	}
	r.conns = append(r.conns, from, conn)
	return conn
}

// setCut ends all connections, and all that come until it is mended.
func (r *relay) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isCut = cut
	for _, conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
}

func TestMongoAwayIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	uri, err := url.Parse(testenv.Mongo(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t, uri.Host)
	uri.Host = r.Addr().String()
	uri.RawQuery = "directConnection=true"
	s := storetest.Open(t, store.Config{MongoAddr: uri.String()})

	r.setCut(true)
	for name, err := range everyCall(t, s) {
		if !isUnavailable(err) {
			t.Errorf("%s without a server = %v, want ErrUnavailable", name, err)
		}
	}
	r.setCut(false)
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := s.Stats.Lookup(t.Context(), []job.ID{job.NewID()})
		if err == nil {
			break
		}
		if time.Now().After(deadline) || !isUnavailable(err) {
			t.Fatalf("after the server is back: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestLockedFileIsUnavailableToWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pm.db")
	s := storetest.Open(t, store.Config{SQLite: path})
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	reads := "Flags Lookup Last"
	for name, err := range everyCall(t, s) {
		if read := strings.Contains(reads, name); read && err != nil || !read && !isUnavailable(err) {
			t.Errorf("%s while another process writes = %v", name, err)
		}
	}
	if _, err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := s.Prefs.SetFlags(t.Context(), "a@example.com", 4, time.Now()); err != nil {
		t.Errorf("SetFlags afterwards = %v", err)
	}
}

func TestCallerWhoGivesUpIsNotToldOfAnOutage(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Prefs.SetFlags(ctx, "a@example.com", 4, time.Now())
	if !errors.Is(err, context.Canceled) || isUnavailable(err) {
		t.Errorf("SetFlags with a canceled context = %v", err)
	}
	if _, err := store.Open(ctx, store.Config{MongoAddr: closedPort(t)}, zerolog.Nop()); err == nil {
		t.Error("Open with a canceled context opened something")
	}
}
