package cases

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/levenlabs/postmaster/internal/testenv"
)

// Whatever a store says that is not about one document holds everything, costs nothing, and is told.
func TestCase27AStoreThatRefusesHoldsEverything(t *testing.T) {
	t.Parallel()
	writes := []string{"insert", "update", "findAndModify", "delete"}
	reads := []string{"find", "aggregate"}
	for _, tc := range []struct {
		what     string
		code     int
		commands []string
	}{
		{"quota (8000) of writes", 8000, writes}, {"112 of writes", 112, writes}, {"not authorized (13) of writes", 13, writes},
		{"16500 of writes", 16500, writes}, {"out of disk (14031) of writes", 14031, writes}, {"quota (8000) of reads", 8000, reads},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := newMongoProxy(t, testenv.Mongo(t))
			r.mongo = p.uri
			r.startAPI()
			r.startWorker("--max-attempts", "2")
			first := r.enqueue("first@example.com", "")
			eventually(t, 20*time.Second, "the first is sent", func() bool { return r.sendgrid.Accepted(first) == 1 })
			p.refuse(tc.code, tc.commands)
			r.heldMeanwhile(tc.what, func() { p.refuse(0, nil) })
		})
	}
}

func TestCase27ADamagedFileHoldsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--max-attempts", "2")
	first := r.enqueue("first@example.com", "")
	eventually(t, 20*time.Second, "the first is sent", func() bool { return r.sendgrid.Accepted(first) == 1 })
	r.enqueue("first@example.com", "") // the state is whole again once this one is sent, too
	eventually(t, 20*time.Second, "the second is sent", func() bool { return r.sendgrid.Counters().Accepted == 2 })
	time.Sleep(200 * time.Millisecond)
	files, whole := []string{"pm.db", "pm.db-wal"}, map[string][]byte{}
	for _, name := range files {
		path := filepath.Join(r.dir, name)
		b, err := os.ReadFile(path)
		if err == nil {
			whole[path] = b
			err = overwrite(path, slices.Repeat([]byte{0xff}, len(b)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.heldMeanwhile("a damaged SQLite file", func() {
		r.api.Stop()
		r.worker.Kill()
		for path, b := range whole {
			if err := overwrite(path, b); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(filepath.Join(r.dir, "pm.db-shm")) //nolint:errcheck // it is made again
		r.startAPI()
		r.startWorker("--max-attempts", "2")
	})
}

// overwrite writes into a file that others have open.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, 0)
	return err
}

// heldMeanwhile enqueues emails while the store refuses, and sees them held at no cost, and sent once it is mended.
func (r *rig) heldMeanwhile(what string, mend func()) {
	r.t.Helper()
	before := r.pops()
	ids := r.enqueueMany(50, func(i int) string { return fmt.Sprintf("a%d@example.com", i) }, "")
	time.Sleep(6 * time.Second)
	pops, dead := r.pops()-before, r.total("email-dead")
	r.came("%s: %d dead letters, %d pops of %d emails in 6s", what, dead, pops, len(ids))
	if dead > 0 || pops > 3*len(ids) {
		r.t.Fatalf("%d dead letters, %d pops of %d emails", dead, pops, len(ids))
	}
	status, says := r.readyz(r.worker.Ops)
	if status != http.StatusServiceUnavailable || !strings.Contains(metricsOf(r.t, r.worker.Ops), "pm_worker_store_unavailable 1") {
		r.t.Errorf("nobody is told: readyz says %d %q", status, says)
	}
	mend()
	eventually(r.t, time.Minute, "all are sent", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return r.sendgrid.Accepted(id) != 1 })
	})
	if n := r.total("email-dead"); n > 0 {
		r.t.Errorf("%d dead letters", n)
	}
	eventually(r.t, 20*time.Second, "the worker is ready", func() bool { status, _ := r.readyz(r.worker.Ops); return status == http.StatusOK })
}

func (r *rig) readyz(ops string) (status int, says string) {
	r.t.Helper()
	resp, err := http.Get("http://" + ops + "/readyz")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// pops is how often okqd gave emails to a worker.
func (r *rig) pops() int { return r.okqdMetric(`okqd_pops_total{queue="email-normal"} `) }

func (r *rig) total(queue string) int {
	return r.okqdMetric(`okqd_queue_depth{queue="` + queue + `"} `)
}

// okqdMetric is a metric's value, 0 if there is none.
func (r *rig) okqdMetric(name string) int {
	r.t.Helper()
	for line := range strings.Lines(metricsOf(r.t, r.okqd.Ops)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				r.t.Fatal(err)
			}
			return int(n)
		}
	}
	return 0
}

// A mongoProxy forwards to a MongoDB server, and answers some commands itself with an error.
type mongoProxy struct {
	uri, to string
	refusal atomic.Pointer[mongoRefusal]
}

type mongoRefusal struct {
	code     int
	commands []string
}

func newMongoProxy(t *testing.T, uri string) *mongoProxy {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", anywhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &mongoProxy{to: u.Host}
	u.Host = l.Addr().String()
	query := u.Query()
	query.Set("directConnection", "true")
	u.RawQuery = query.Encode()
	p.uri = u.String()
	go forward(l, p.serve)
	return p
}

// refuse has commands answered with an error from now on; none with code 0.
func (p *mongoProxy) refuse(code int, commands []string) {
	p.refusal.Store(&mongoRefusal{code, commands})
}

func (p *mongoProxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer s.Close()
	var mu sync.Mutex // of writes to c
	go func() {
		defer c.Close()
		for {
			m, err := readMongo(s)
			if err != nil {
				return
			}
			mu.Lock()
			_, err = c.Write(m)
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		m, err := readMongo(c)
		if err != nil {
			return
		}
		if answer := p.answer(m); answer != nil {
			mu.Lock()
			_, err = c.Write(answer)
			mu.Unlock()
		} else {
			_, err = s.Write(m)
		}
		if err != nil {
			return
		}
	}
}

// readMongo reads one message of MongoDB's wire protocol.
func readMongo(r io.Reader) ([]byte, error) {
	m := make([]byte, 16)
	if _, err := io.ReadFull(r, m); err != nil {
		return nil, err
	}
	m = append(m, make([]byte, binary.LittleEndian.Uint32(m)-16)...)
	_, err := io.ReadFull(r, m[16:])
	return m, err
}

// answer is the error for a message, if it is to be refused.
// Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg
func (p *mongoProxy) answer(m []byte) []byte {
	const opMsg, head = 2013, 16 + 4 // header and flags; then sections, a command's document being of kind 0
	refusal := p.refusal.Load()
	if refusal == nil || refusal.code == 0 || binary.LittleEndian.Uint32(m[12:]) != opMsg || m[head] != 0 {
		return nil
	}
	element, err := bson.Raw(m[head+1:][:binary.LittleEndian.Uint32(m[head+1:])]).IndexErr(0)
	if err != nil || !slices.Contains(refusal.commands, element.Key()) {
		return nil
	}
	doc, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "refused by the test"}, {Key: "code", Value: int32(refusal.code)}})
	if err != nil {
		return nil
	}
	answer := make([]byte, head+1, head+1+len(doc))
	binary.LittleEndian.PutUint32(answer, uint32(head+1+len(doc)))
	copy(answer[8:], m[4:8]) // in response to
	binary.LittleEndian.PutUint32(answer[12:], opMsg)
	return append(answer, doc...)
}
