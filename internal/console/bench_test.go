package console_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// setting is a number that an environment variable may raise.
func setting(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// BenchmarkPages asks for each page over PM_BENCH_RECORDS records in an SQLite file, with PM_BENCH_QUEUED mails queued, and
// reports the 95th percentile; and what the samples for the live page cost okq.
func BenchmarkPages(b *testing.B) {
	records, queued := setting("PM_BENCH_RECORDS", 20_000), setting("PM_BENCH_QUEUED", 5_000)
	client, err := okq.New(okq.Options{Addrs: []string{okqdtest.RunT(b).Addr}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	waiting := fill(b, client, queued)
	stores := seeded(b, records)
	deps := console.Deps{Queue: client, Records: stores.Stats, Prefs: stores.Prefs, Letters: console.NewLetters(client, stores.Stats)}
	c, err := console.New(console.Config{Addr: "127.0.0.1:0"}, deps, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		b.Fatal(err)
	}
	go c.Run(b.Context()) // ends with the benchmark
	for name, path := range map[string]string{
		"now": "/", "mails": "/mails", "recipient-with-many": "/mails?q=r0%40example.com", "recipient": "/recipient?address=r7%40example.com",
		"unique-id": "/mails?q=order-11", "unknown": "/mails?unknown=1", "mail-queued": "/mails/" + string(waiting), "dead": "/dead",
	} {
		b.Run(name, func(b *testing.B) { timed(b, func() { get(b, c.URL()+path) }) })
	}
	b.Run("sample", func(b *testing.B) {
		timed(b, func() {
			if _, err := client.Status(b.Context()); err != nil {
				b.Fatal(err)
			}
			if _, err := client.Traffic(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func get(b *testing.B, url string) {
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: %d, %v", url, resp.StatusCode, err)
	}
}

func timed(b *testing.B, f func()) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// fill queues mails and answers one that is in the middle.
func fill(b *testing.B, client *okq.Client, n int) job.ID {
	b.Helper()
	var middle job.ID
	for done := 0; done < n; {
		var events []okq.Event
		for ; len(events) < 1000 && done < n; done++ {
			e := mail(fmt.Sprintf("r%d@example.com", done))
			contents, err := e.Encode()
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, okq.Event{Queue: job.QueueEmailNormal, ID: string(e.ID), Contents: contents})
			if done == n/2 {
				middle = e.ID
			}
		}
		for _, err := range client.PushAll(b.Context(), events) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return middle
}

// seeded is a store with n records, written past the store: one in a hundred to one recipient, one in a thousand unknown.
func seeded(b *testing.B, n int) *store.Stores {
	b.Helper()
	path := filepath.Join(b.TempDir(), "pm.db")
	open := func() *store.Stores {
		s, err := store.Open(b.Context(), store.Config{SQLite: path}, zerolog.Nop())
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	if err := open().Close(); err != nil { // makes the schema
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		b.Fatal(err)
	}
	_, err = db.ExecContext(b.Context(), `
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
		INSERT INTO records (id, r, ef, s, uid, se, tc, ts, err, ea, st, at, fr, ta, tok, mid, why, ev)
		SELECT printf('%08x%016x', 1700000000 + i, i), 'r' || (CASE WHEN i % 100 = 0 THEN 0 ELSE i % 100003 END) || '@example.com',
			4, CASE WHEN i % 1000 = 1 THEN 0 ELSE 2 END, 'order-' || i, 'production', 1000 * (1700000000 + i), 1000 * (1700000000 + i), '', 0,
			CASE WHEN i % 1000 = 1 THEN 'unknown' ELSE 'accepted' END, 1, 0, 1000 * (1700000000 + i), '', 'message-' || i, '',
			CASE WHEN i % 1000 = 1 THEN '{}' ELSE '{"processed":1700000000,"delivered":1700000001}' END
		FROM n`, n)
	if err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	s := open()
	b.Cleanup(func() { s.Close() })
	return s
}
