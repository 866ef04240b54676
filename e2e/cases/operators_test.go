package cases

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// queue is a client of the rig's okqd.
func (r *rig) queue() *okq.Client {
	r.t.Helper()
	client, err := okq.New(okq.Options{Addrs: []string{r.okqd.Addr}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(client.Close)
	return client
}

// totals are how many events queues have, at one moment.
func (r *rig) totals(client *okq.Client, queues ...string) []int {
	r.t.Helper()
	rows, err := client.Status(r.t.Context(), queues...)
	if err != nil || len(rows) != len(queues) {
		r.t.Fatalf("status of %v: %+v %v", queues, rows, err)
	}
	totals := make([]int, len(rows))
	for i, row := range rows {
		totals[i] = row.Total
	}
	return totals
}

// letters are the ids in a dead letter queue.
func (r *rig) letters(client *okq.Client, queue string) (ids []string) {
	r.t.Helper()
	for id, err := range client.Scan(r.t.Context(), queue) {
		if err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// dead runs "postmaster dead" against an address of okqd and returns what it prints. That some letters could not be
// changed is no failure of it.
func (r *rig) dead(addr string, args ...string) string {
	r.t.Helper()
	out, _ := process.Command("postmaster", append(append([]string{"dead"}, args...), "--okq-addr", addr)...).CombinedOutput()
	return string(out)
}

// A watch looks all along at how many events two queues have together.
type watch struct {
	least atomic.Int64
	stop  chan struct{}
	done  chan struct{}
}

func (r *rig) watch(client *okq.Client, queues ...string) *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	w.least.Store(1 << 30)
	go func() {
		defer close(w.done)
		for {
			select {
			case <-w.stop:
				return
			default:
			}
			rows, err := client.Status(r.t.Context(), queues...)
			if err != nil {
				continue
			}
			sum := int64(0)
			for _, row := range rows {
				sum += int64(row.Total)
			}
			w.least.Store(min(w.least.Load(), sum))
		}
	}()
	return w
}

// fewest ends the watch and returns the fewest that there were.
func (w *watch) fewest() int {
	close(w.stop)
	<-w.done
	return int(w.least.Load())
}

// farAway is an address that leads to another with a delay each way.
func farAway(t *testing.T, addr string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", anywhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				near.Close()
				continue
			}
			go relay(near, far, delay)
			go relay(far, near, delay)
		}
	}()
	return l.Addr().String()
}

// relay passes on what comes, each piece after the delay, and closes to when from ends.
func relay(to, from net.Conn, delay time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer to.Close()
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.data); err != nil {
				return
			}
		}
	}()
	defer close(pieces)
	for {
		buf := make([]byte, 32<<10)
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{time.Now().Add(delay), buf[:n]}
		}
		if err != nil {
			if err != io.EOF {
				to.Close()
			}
			return
		}
	}
}

// emailQueues are where an email may be, dead or alive.
var emailQueues = []string{job.QueueEmailNormal, job.QueueEmailDead}
