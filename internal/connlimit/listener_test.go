package connlimit

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// listen serves nothing: it accepts, and reads what comes.
func listen(t *testing.T, p Policy) (*Listener, <-chan *Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listen(inner, p, NewMetrics("test"))
	accepted := make(chan *Conn, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conn := c.(*Conn)
			go io.Copy(io.Discard, conn)
			accepted <- conn
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		close(accepted)
		for c := range accepted {
			c.Close()
		}
	})
	return l, accepted
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ended waits for the server to close a connection.
func ended(t *testing.T, c net.Conn, within time.Duration) bool {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	e, ok := err.(net.Error)
	return !ok || !e.Timeout()
}

func TestAdmittedConnectionsAreNeverClosedForOthers(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 1, Unauthenticated: 1})
	dial(t, l)
	first := <-accepted
	first.Admit()
	waiting := dial(t, l)
	if ended(t, waiting, grace+500*time.Millisecond) {
		t.Error("a connection over the limit was refused")
	}
	select {
	case <-accepted:
		t.Fatal("a connection over the limit was accepted beside an admitted one")
	default:
	}
	first.Close()
	first.Close() // makes room once
	(<-accepted).Close()
	if n := testutil.ToFloat64(l.metrics.Open); n != 0 {
		t.Errorf("%v connections counted as open", n)
	}
}

func TestTheSlowestStrangerGivesWay(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 10, Unauthenticated: 2, PerPeer: 2})
	slow, fast := dial(t, l), dial(t, l)
	slow.Write([]byte("x"))
	fast.Write(make([]byte, 1000))
	<-accepted
	<-accepted
	began := time.Now()
	dial(t, l)
	<-accepted
	if took := time.Since(began); took > grace+2*time.Second {
		t.Errorf("a newcomer waited %v", took)
	}
	if !ended(t, slow, 5*time.Second) {
		t.Error("the slowest stranger was kept")
	}
	if ended(t, fast, 100*time.Millisecond) {
		t.Error("the faster stranger was closed")
	}
}

func TestSilentStrangersGiveWaySooner(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 8, Unauthenticated: 8, PerPeer: 8})
	began := time.Now()
	const all = 40 // five times what there are places for
	for range all {
		dial(t, l)
	}
	for range all {
		<-accepted
	}
	if took := time.Since(began); took > 4*grace {
		t.Errorf("%d silent connections kept others waiting for %v", all, took)
	}
}

func TestAPeerOverItsLimitLosesItsSlowest(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 100, Unauthenticated: 100, PerPeer: 2})
	first := dial(t, l)
	c := <-accepted
	dial(t, l)
	<-accepted
	l.mu.Lock()
	c.since = c.since.Add(-time.Minute)
	l.mu.Unlock()
	dial(t, l)
	<-accepted
	if !ended(t, first, 5*time.Second) {
		t.Error("the peer's oldest silent connection was kept")
	}
}

func TestAStrangerHasATimeToAuthenticate(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 10, AuthTime: 200 * time.Millisecond})
	stranger := dial(t, l)
	<-accepted
	known := dial(t, l)
	(<-accepted).Admit()
	if !ended(t, stranger, 5*time.Second) {
		t.Error("a stranger may stay for ever")
	}
	if ended(t, known, 300*time.Millisecond) {
		t.Error("an admitted connection was closed")
	}
}

func TestWrongTriesCostTimeAndThenTheConnection(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Policy{Max: 10, Tries: 3})
	dial(t, l)
	c := <-accepted
	began := time.Now()
	for n := 1; n <= 3; n++ {
		if closing := c.Wrong(t.Context()); closing != (n == 3) {
			t.Errorf("try %d: closing %v", n, closing)
		}
	}
	if took := time.Since(began); took < 7*firstDelay { // 1 + 2 + 4
		t.Errorf("three wrong tries took %v", took)
	}
	now := time.Now()
	if d := l.tries.delay(c.peer, now); d <= 4*firstDelay-1 {
		t.Errorf("the fourth takes %v, less than the third", d)
	}
	if d := l.tries.delay(c.peer, now.Add(2*forgetAfter)); d != firstDelay {
		t.Errorf("two minutes later: %v", d)
	}
	for range 100 {
		if d := l.tries.delay(c.peer, now); d > maxDelay {
			t.Fatalf("takes %v", d)
		}
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::/64", "[fe80::1%lo]:7": "fe80::/64",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := peerOf(tcp); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
