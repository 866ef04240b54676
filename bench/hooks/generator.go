package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	eventsPerPost = 1000
	timestamp     = "1767225600" // signatures may be old
)

// A generator posts batches that differ in their last event only, so that signing one costs a hash of its tail.
type generator struct {
	key       *ecdsa.PrivateKey
	publicKey string
	body      []byte        // all but the last event
	hashed    hash.Cloner   // of timestamp and body
	last      atomic.Uint64 // number of the last POST
	client    *http.Client
	n         int // POSTs in flight
}

func newGenerator(wireFile string, connections int) (*generator, error) {
	wire, err := os.ReadFile(wireFile)
	if err != nil {
		return nil, err
	}
	var events []json.RawMessage
	if err := json.Unmarshal(wire, &events); err != nil {
		return nil, err
	}
	events = events[:len(events)-1] // the last is about the account
	g := &generator{n: connections}
	g.body = []byte("[")
	for i := range eventsPerPost - 1 {
		g.body = append(append(g.body, events[i%len(events)]...), ",\r\n"...)
	}
	h := sha256.New()
	h.Write([]byte(timestamp))
	h.Write(g.body)
	g.hashed = h.(hash.Cloner)
	if g.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&g.key.PublicKey)
	if err != nil {
		return nil, err
	}
	g.publicKey = base64.StdEncoding.EncodeToString(der)
	g.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, WriteBufferSize: 64 << 10}}
	return g, nil
}

// tail is the last event of POST n, and the end of the batch.
func (g *generator) tail(n uint64) []byte {
	return fmt.Appendf(nil, `{"email":"alex@example.com","timestamp":1767225664,"event":"delivered","sg_event_id":"bench-%020d",`+
		`"sg_message_id":"Zr4kQ0vXTJq1m8yC2aWbNg.recvd-5f54b5d587-8q2xk-1-6620D0A4-3A.0","pmStatsID":"6920d5c40000000000000001",`+
		`"pmEnvID":"production","response":"250 OK","tls":1}]`+"\r\n", n)
}

func (g *generator) size() int { return len(g.body) + len(g.tail(0)) }

// load posts for the duration, and returns once the last POST was answered.
func (g *generator) load(ctx context.Context, url string, duration time.Duration) (result, error) {
	var (
		mu     sync.Mutex // protects total and failed
		total  = result{other: map[int]int{}}
		failed error
		wg     sync.WaitGroup
	)
	start := time.Now()
	for range g.n {
		wg.Go(func() {
			for time.Since(start) < duration {
				status, took, err := g.post(ctx, url)
				mu.Lock()
				switch {
				case err != nil:
					failed = err
				case status == http.StatusOK:
					total.latencies = append(total.latencies, took)
				default:
					total.other[status]++
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	total.took = time.Since(start)
	return total, failed
}

func (g *generator) post(ctx context.Context, url string) (int, time.Duration, error) {
	tail := g.tail(g.last.Add(1))
	h, err := g.hashed.Clone()
	if err != nil {
		return 0, 0, err
	}
	h.Write(tail)
	signature, err := ecdsa.SignASN1(rand.Reader, g.key, h.Sum(nil))
	if err != nil {
		return 0, 0, err
	}
	body := io.MultiReader(bytes.NewReader(g.body), bytes.NewReader(tail))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return 0, 0, err
	}
	req.ContentLength = int64(len(g.body) + len(tail))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signatureHeader, base64.StdEncoding.EncodeToString(signature))
	req.Header.Set(timestampHeader, timestamp)
	start := time.Now()
	resp, err := g.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, time.Since(start), err
}
