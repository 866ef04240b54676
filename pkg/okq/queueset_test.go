package okq_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// logbook is a log that can be read while it is written.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), words)
}

func clientWithLog(t *testing.T, opts okq.Options) (*okq.Client, *logbook) {
	t.Helper()
	book := new(logbook)
	opts.Log = zerolog.New(book)
	c, err := okq.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, book
}

const conflict = "okq addresses lead to different queues"

// Two okqd with disks of their own are no stand-ins for each other: what the one holds, the other never looks at.
func TestAnAddressWithOtherQueuesIsRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "secret of both"} {
		first, other := okqdtest.RunT(t, okqdtest.WithPassword(password)), okqdtest.RunT(t, okqdtest.WithPassword(password))
		c, book := clientWithLog(t, okq.Options{Addrs: []string{first.Addr, other.Addr}, Password: password})
		if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the conflict is told before it matters", func() bool { return book.count(conflict) > 0 })
		first.Stop()
		eventually(t, "the first is away", func() bool { return c.Ping(t.Context()) != nil })
		eventually(t, "the error says why the other is not used", func() bool {
			err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "2"})
			if err == nil {
				t.Fatal("pushed to other queues")
			}
			return strings.Contains(err.Error(), other.Addr) && strings.Contains(err.Error(), "all addresses must lead to the same queues")
		})
		direct, _ := clientWithLog(t, okq.Options{Addrs: []string{other.Addr}, Password: password})
		if n := status(t, direct, "q").Total; n != 0 {
			t.Errorf("%d events are where nobody looks", n)
		}
	}
}

// All okqd of one Redis have its queues, and so they are stand-ins for each other.
func TestOkqdOnOneRedisStandInForEachOther(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	first, second := okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)), okqdtest.RunT(t, okqdtest.WithRedis(r.Addr))
	c, book := clientWithLog(t, okq.Options{Addrs: []string{first.Addr, second.Addr}})
	pushN(t, c, "q", 3)
	first.Stop()
	eventually(t, "the second is used", func() bool { return c.Ping(t.Context()) == nil })
	if n := status(t, c, "q").Total; n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	if book.count(conflict) > 0 || book.count("does not tell") > 0 {
		t.Errorf("complaints of a sound setup: %s", &book.b)
	}
}

// A directory keeps its identity, and a server of before, which has none, is taken as ever.
func TestAServerWithoutQueueSetIsTakenAndSaidSoOfOnce(t *testing.T) {
	t.Parallel()
	first, second := okqtest.RunOriginal(t), okqtest.RunOriginal(t)
	c, book := clientWithLog(t, okq.Options{Addrs: []string{first.Addr(), second.Addr()}})
	if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	eventually(t, "the second is used", func() bool { return c.Ping(t.Context()) == nil })
	for _, addr := range []string{first.Addr(), second.Addr()} {
		if n := book.count(`"addr":"` + addr + `","message":"this okq does not tell its queue set`); n != 1 {
			t.Errorf("said so %d times of %s: %s", n, addr, &book.b)
		}
	}
}

// A client with one address has no choice, but says it when the queues behind it are others. A directory keeps its
// identity from start to start.
func TestReplacedQueuesAreToldOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr := testenv.FreeAddr(t)
	run := func(dir string) *okqdtest.Server {
		return okqdtest.RunT(t, okqdtest.WithAddr(addr), func(c *okqd.Config) { c.Local.Dir = dir })
	}
	c, book := clientWithLog(t, okq.Options{Addrs: []string{addr}})
	complaints := func() int {
		eventually(t, "an answer", func() bool {
			_, err := c.Caps(t.Context())
			return err == nil && c.Ping(t.Context()) == nil
		})
		if _, err := c.Caps(t.Context()); err != nil {
			t.Error(err)
		}
		return book.count("other queues than before")
	}
	s := run(dir)
	complaints()
	s.Stop()
	s = run(dir)
	if n := complaints(); n != 0 {
		t.Errorf("a restart on the same directory: %s", &book.b)
	}
	s.Stop()
	run(t.TempDir())
	if n := complaints(); n != 1 {
		t.Errorf("told %d times that the directory was replaced", n)
	}
}
