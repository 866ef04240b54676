package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// call is the Enqueue of a mail of 1 KiB.
func call() []byte {
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

// load makes calls for the duration, one at a time on each connection. It writes the same bytes each time and reads the
// answers by itself: a whole HTTP client would take more of the machine, which is shared, than the servers do.
func load(ctx context.Context, addr string, connections int, duration time.Duration) (result, error) {
	body := call()
	request := append(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", addr, len(body)), body...)
	var (
		mu    sync.Mutex // protects total and errs
		total result
		errs  []error
		wg    sync.WaitGroup
	)
	start := time.Now()
	for range connections {
		wg.Go(func() {
			latencies, err := callFor(ctx, addr, request, duration)
			mu.Lock()
			defer mu.Unlock()
			total.latencies = append(total.latencies, latencies...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	total.took = time.Since(start)
	slices.Sort(total.latencies)
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

// answer is what the yardstick says, as long as pm-api's.
const answer = `{"jsonrpc":"2.0","id":1,"result":{"success":true,"id":"65f0c0ffee65f0c0ffee65f0"}}`

// serveYardstick prints where it listens the way our programs log it.
func serveYardstick() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announce(ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
}
