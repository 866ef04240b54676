package connlimit

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func serveHTTP(t *testing.T, p Policy, handler http.HandlerFunc) *Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, p, NewMetrics("test"))
	srv := &http.Server{Handler: handler}
	l.Attach(srv)
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return l
}

func (l *Listener) strangersNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func TestARequestsConnectionIsAStrangerAgainOnceItIsIdle(t *testing.T) {
	t.Parallel()
	during := make(chan int, 1)
	var l *Listener
	ready := make(chan struct{})
	l = serveHTTP(t, Policy{Max: 10}, func(_ http.ResponseWriter, r *http.Request) {
		<-ready
		Of(r).Admit()
		during <- l.strangersNow()
	})
	close(ready)
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := <-during; n != 0 {
		t.Errorf("%d strangers while the admitted request is answered", n)
	}
	for end := time.Now().Add(5 * time.Second); l.strangersNow() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an idle connection is not a stranger again")
		}
	}
}

func TestAnIdleConnectionGivesWayAtOnce(t *testing.T) {
	t.Parallel()
	l := serveHTTP(t, Policy{Max: 2, Unauthenticated: 1, PerPeer: 1}, func(_ http.ResponseWriter, r *http.Request) { Of(r).Admit() })
	for range 20 {
		client := &http.Client{Transport: &http.Transport{}} // a connection of its own, kept alive
		began := time.Now()
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if took := time.Since(began); took > grace/2 {
			t.Errorf("waited %v for an idle connection", took)
		}
		defer client.CloseIdleConnections()
	}
}

func TestTheConnectionUnderTLSIsFound(t *testing.T) {
	t.Parallel()
	found := make(chan bool, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { found <- Of(r).listener != nil }))
	l := Listen(srv.Listener, Policy{Max: 10}, NewMetrics("test"))
	srv.Listener = l
	l.Attach(srv.Config)
	srv.StartTLS()
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	if !<-found {
		t.Error("a request over TLS does not find its connection")
	}
}

func TestABodySlowerThanItsPaceIsCutOff(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	l := serveHTTP(t, Policy{Max: 10}, func(w http.ResponseWriter, r *http.Request) {
		r = PaceBody(w, r, Pace{Bytes: 1000, Window: 300 * time.Millisecond, Total: 2 * time.Second})
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		if err != nil {
			Refuse(w)
			http.Error(w, "slow", http.StatusRequestTimeout)
			return
		}
		time.Sleep(500 * time.Millisecond) // longer than a window: the deadline is the body's, not the answer's
		if r.Context().Err() != nil {
			t.Error("the request was cancelled after its body had come")
		}
	})
	send := func(pieces int, piece string) {
		c := dial(t, l)
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n")
		for range pieces {
			if _, err := io.WriteString(c, piece); err != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			resp.Body.Close()
		}
	}
	began := time.Now()
	send(100, "x")
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a byte at a time: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	send(20, strings.Repeat("x", 500))
	if err := <-read; err != nil {
		t.Errorf("at its pace: %v", err)
	}
}
