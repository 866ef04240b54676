// Package caller enqueues mails over HTTP as fast as it is answered.
package caller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is the Enqueue of a mail of 1 KiB.
func Call() []byte {
	mail := map[string]any{
		"to": "alex@example.com", "toName": "Alex", "from": "shop@example.org", "fromName": "Shop", "subject": "Your receipt",
		"html": "<p>" + strings.Repeat("Thank you for your order. ", 27) + "</p>", "flags": 2, "uniqueID": "order-7",
		"uniqueArgs": map[string]string{"order": "7", "shop": "12"}, "categories": []string{"receipts"},
	}
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Postmaster.Enqueue", "params": mail})
	if err != nil {
		panic(err)
	}
	return b
}

// Load makes calls for the duration, one at a time on each connection. It writes the same bytes each time and reads the
// answers by itself: a whole HTTP client would take more of the machine, which is shared, than the servers do.
func Load(ctx context.Context, addr string, connections int, duration time.Duration) (Result, error) {
	body := Call()
	request := append(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", addr, len(body)), body...)
	var (
		mu    sync.Mutex // protects total and errs
		total Result
		errs  []error
		wg    sync.WaitGroup
	)
	start := time.Now()
	for range connections {
		wg.Go(func() {
			latencies, err := callFor(ctx, addr, request, duration)
			mu.Lock()
			defer mu.Unlock()
			total.Latencies = append(total.Latencies, latencies...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	total.Took = time.Since(start)
	slices.Sort(total.Latencies)
	return total, errors.Join(errs...)
}

func callFor(ctx context.Context, addr string, request []byte, duration time.Duration) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := bufio.NewReader(conn)
	var latencies []time.Duration
	for start := time.Now(); time.Since(start) < duration; {
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readSuccess(r); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}

// readSuccess reads an answer, which must have a Content-Length and be a success.
func readSuccess(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", status)
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length = 0
			for _, digit := range bytes.TrimSpace(value) {
				length = 10*length + int(digit-'0')
			}
		}
	}
	if length < 0 || length > r.Size() {
		return fmt.Errorf("an answer of length %d", length)
	}
	answer, err := r.Peek(length)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, []byte(`"success":true`)) {
		return fmt.Errorf("answer %s", answer)
	}
	_, err = r.Discard(length)
	return err
}

// A Result is what a load did.
type Result struct {
	Took      time.Duration
	Latencies []time.Duration // sorted
}

// Rate is calls per second.
func (r Result) Rate() float64 { return float64(len(r.Latencies)) / r.Took.Seconds() }
