package cases

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// pm-api stays below its memory limit in the manifests while clients send the worst there is, and answers honest ones.
// PM_HOSTILE is how long; the seed is in the log.
func TestHostileRequestsLeavePMAPIUsable(t *testing.T) {
	testenv.Heavy(t)
	length, err := time.ParseDuration(os.Getenv("PM_HOSTILE"))
	if err != nil {
		length = 20 * time.Second
	}
	r := newRig(t)
	r.api = process.New(t, "pm-api", append([]string{"--okq-addr", r.okqd.Addr, "--listen-addr", anywhere, "--ops-addr", anywhere}, r.store()...)...)
	r.api.Env = []string{"GOMEMLIMIT=690MiB"}
	r.api.Run(2)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	end := time.Now().Add(length)
	var wg sync.WaitGroup
	for i := range 24 {
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(end) {
				hostile(r.api.Addr, dice, end)
			}
		})
	}
	var took []time.Duration
	for time.Now().Before(end) {
		began := time.Now()
		status, answer := request(t, http.MethodPost, "http://"+r.api.Addr+"/", sendMail, "", nil)
		took = append(took, time.Since(began))
		if status != http.StatusOK || !strings.Contains(answer, `"success":true`) {
			t.Errorf("an honest call: %d %.200s", status, answer)
		}
		time.Sleep(10 * time.Millisecond)
	}
	wg.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	mib := peak(t, r.api)
	r.came("%d honest calls, p99 %v; at most %d MiB", len(took), p99.Round(time.Millisecond), mib)
	if p99 > time.Second || mib > 768 {
		t.Errorf("p99 %v and %d MiB, want 1 s and 768 MiB at most", p99, mib)
	}
}

// hostile does one thing that costs its client little.
func hostile(addr string, dice *rand.Rand, end time.Time) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(end)
	header := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	elements := []string{"{}", "[]", `""`, "1", `{"a":""}`, "[[]]", "null"}
	list := func(size int) string {
		e := elements[dice.IntN(len(elements))] + ","
		return strings.Repeat(e, size/len(e)) + "1"
	}
	field := []string{"attachments", "cc", "categories", "headers", "uniqueArgs", "templateData", "x"}[dice.IntN(7)]
	size := 1 << (10 + dice.IntN(15)) // to 16 MiB
	var body string
	switch dice.IntN(8) {
	case 0: // promises and stalls
		fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n{", header, 32<<20)
		time.Sleep(min(time.Until(end), time.Duration(dice.IntN(6))*time.Second))
		return
	case 1:
		fmt.Fprintf(conn, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", header, size, strings.Repeat(" ", size))
		time.Sleep(min(time.Until(end), time.Duration(dice.IntN(6))*time.Second))
		return
	case 2: // asks for much, and does not read it
		body = "[" + strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"},`, 999) + `{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}]`
		fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
		time.Sleep(min(time.Until(end), time.Duration(dice.IntN(4))*time.Second))
		return
	case 3:
		body = strings.Repeat("[", size) + strings.Repeat("]", size)
	case 4:
		body = "[" + list(size) + "]"
	case 5:
		body = `{"jsonrpc":"2.0","method":"x","id":"` + strings.Repeat("i", size) + `"}`
	default:
		body = `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"a@example.com","from":"b@example.com","subject":"s","text":"t",` +
			`"idempotencyKey":"k","templateID":"d-1","` + field + `":[` + list(size) + `]}}`
	}
	fmt.Fprintf(conn, "%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", header, len(body), body)
	io.Copy(io.Discard, conn) //nolint:errcheck // whatever it is
}
