package cases

import (
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
)

// An outage of SendGrid spends no attempts, however few there are.
func TestCase03AnOutageSpendsNoAttempts(t *testing.T) {
	t.Parallel()
	for _, refused := range []bool{true, false} {
		name := map[bool]string{true: "connection refused", false: "503"}[refused]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.startAPI()
			flags := []string{"--max-attempts", "2"}
			end := func() { r.sendgrid.ClearFaults() }
			if refused {
				addr, listen := r.closedPort()
				flags, end = append(flags, "--sendgrid-url", "http://"+addr), listen
			} else if err := r.sendgrid.SetFaults(faults.Always(faults.Unavailable)); err != nil {
				t.Fatal(err)
			}
			r.startWorker(flags...)
			id := r.enqueue("a@example.com", "")
			began := time.Now()
			for time.Since(began) < 15*time.Second && r.state(id) != "dead" {
				time.Sleep(100 * time.Millisecond)
			}
			if state := r.state(id); state != "retrying" {
				r.came("%s: %s after %v", name, state, time.Since(began).Round(time.Second))
				t.Fatalf("the email is %s, want retrying", state)
			}
			end()
			eventually(t, time.Minute, "the email is sent", func() bool { return r.sendgrid.Accepted(id) == 1 })
			r.came("%s for 15s: sent after %v", name, time.Since(began).Round(time.Second))
		})
	}
}

// --give-up-after is counted from the email's own first failed attempt.
func TestCase03AnEmailIsGivenUpByTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	addr, _ := r.closedPort()
	r.startWorker("--max-attempts", "1", "--give-up-after", "6s", "--sendgrid-url", "http://"+addr)
	id := r.enqueue("a@example.com", "")
	began := time.Now()
	letter := r.deadLetters(1, time.Minute)[0]
	r.came("connection refused, --give-up-after 6s: %q after %v and %d attempts", letter.Reason, time.Since(began).Round(time.Second), letter.Attempts)
	if took := time.Since(began); letter.ID != id || letter.Reason != job.ReasonGivenUp || letter.Attempts < 3 || took < 6*time.Second {
		t.Errorf("after %v: letter %+v", took, letter)
	}
}

// closedPort is an address that refuses connections until listen is called, and leads to the sandbox then.
func (r *rig) closedPort() (addr string, listen func()) {
	r.t.Helper()
	l, err := net.Listen("tcp", anywhere)
	if err != nil {
		r.t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	to, err := url.Parse(r.sendgrid.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	return addr, func() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { l.Close() })
		go forward(l, func(c net.Conn) {
			defer c.Close()
			s, err := net.Dial("tcp", to.Host)
			if err != nil {
				return
			}
			defer s.Close()
			go io.Copy(s, c) //nolint:errcheck // it ends with the connection
			io.Copy(c, s)    //nolint:errcheck // as above
		})
	}
}

// forward serves each connection until the listener is closed.
func forward(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}
