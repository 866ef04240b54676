package console_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

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

// BenchmarkPages asks for each page over PM_BENCH_RECORDS records of the last 30 days, in an SQLite file or in the MongoDB
// that PM_BENCH_MONGO names, with PM_BENCH_QUEUED mails queued, and reports the 95th percentile; what the samples for the
// live page cost okq, and what it takes to count an hour for the page of rates.
func BenchmarkPages(b *testing.B) {
	records, queued := setting("PM_BENCH_RECORDS", 20_000), setting("PM_BENCH_QUEUED", 5_000)
	client, err := okq.New(okq.Options{Addrs: []string{okqdtest.RunT(b).Addr}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	waiting := fill(b, client, queued)
	var stores *store.Stores
	if uri := os.Getenv("PM_BENCH_MONGO"); uri != "" {
		stores = seededMongo(b, uri, records)
	} else {
		stores = seeded(b, records)
	}
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
		"unique-id": "/mails?q=order-11", "unknown": "/mails?unknown=1", "mail-queued": "/mails/" + string(waiting), "dead": "/dead", "health": "/health",
	} {
		b.Run(name, func(b *testing.B) { timed(b, func() { get(b, c.URL()+path) }) })
	}
	b.Run("tally-of-an-hour", func(b *testing.B) {
		from := time.Now().Add(-10 * 24 * time.Hour).Truncate(time.Hour)
		timed(b, func() {
			if _, err := stores.Stats.Tally(b.Context(), from, from.Add(time.Hour)); err != nil {
				b.Fatal(err)
			}
		})
	})
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
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
		INSERT INTO records (id, r, ef, s, uid, se, tc, ts, err, ea, st, at, fr, ta, tok, mid, why, ev)
		SELECT printf('%08x%016x', ?2 + i * 2592000 / ?1, i), 'r' || (CASE WHEN i % 100 = 0 THEN 0 ELSE i % 100003 END) || '@example.com',
			4, CASE WHEN i % 1000 = 1 THEN 0 ELSE 2 END, 'order-' || i, 'production', 1000 * (?2 + i * 2592000 / ?1), 1000 * (?2 + i * 2592000 / ?1), '', 0,
			CASE WHEN i % 1000 = 1 THEN 'unknown' ELSE 'accepted' END, 1, 0, 1000 * (?2 + i * 2592000 / ?1), '', 'message-' || i, '',
			CASE WHEN i % 1000 = 1 THEN '{}' ELSE '{"processed":1700000000,"delivered":1700000001}' END
		FROM n`, n, time.Now().Add(-30*24*time.Hour).Unix())
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

// seededMongo is the same in a database of its own, which is dropped afterwards.
func seededMongo(b *testing.B, uri string, n int) *store.Stores {
	b.Helper()
	base, query, _ := strings.Cut(uri, "?")
	uri = fmt.Sprintf("%s/pmpages_%d?%s", strings.TrimRight(base, "/"), os.Getpid(), query)
	s, err := store.Open(b.Context(), store.Config{MongoAddr: uri}, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		b.Fatal(err)
	}
	db := client.Database(fmt.Sprintf("pmpages_%d", os.Getpid()))
	b.Cleanup(func() { db.Drop(context.Background()); client.Disconnect(context.Background()) })
	start := time.Now().Add(-30 * 24 * time.Hour)
	var writers errgroup.Group
	writers.SetLimit(4)
	for from := 0; from < n; from += 5000 {
		writers.Go(func() error {
			var docs []any
			for i := from; i < min(from+5000, n); i++ {
				at := start.Add(time.Duration(float64(i) / float64(n) * float64(30*24*time.Hour)))
				id := bson.NewObjectIDFromTimestamp(at)
				binary.BigEndian.PutUint64(id[4:], uint64(i))
				r, state, flags, ev := i%100003, "accepted", int64(2), bson.M{"processed": at, "delivered": at}
				if i%100 == 0 {
					r = 0
				}
				doc := bson.M{"_id": id, "ef": int64(4), "uid": fmt.Sprintf("order-%d", i), "se": "production", "tc": at, "ts": at, "at": 1, "ta": at, "mid": fmt.Sprintf("message-%d", i), "ev": ev}
				if i%1000 == 1 {
					state, flags = "unknown", 0
					delete(doc, "ev")
				}
				doc["r"], doc["st"], doc["s"] = fmt.Sprintf("r%d@example.com", r), state, flags
				docs = append(docs, doc)
			}
			_, err := db.Collection("records").InsertMany(b.Context(), docs, options.InsertMany().SetOrdered(false))
			return err
		})
	}
	if err := writers.Wait(); err != nil {
		b.Fatal(err)
	}
	return s
}
