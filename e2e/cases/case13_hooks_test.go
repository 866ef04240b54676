package cases

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCase13StrangersOfTheWebhookStarveNobody opens more connections than pm-hooks has places for. Each begins a body and
// does not go on.
func TestCase13StrangersOfTheWebhookStarveNobody(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]string{
		"a byte":  "Content-Length: 1000\r\n\r\n[",
		"100 KB":  "Content-Length: 700000\r\n\r\n[" + strings.Repeat(" ", 100_000),
		"nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.startHooks()
			var strangers sync.WaitGroup
			for range 540 {
				c, err := net.Dial("tcp", r.hooks.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetWriteDeadline(time.Now().Add(time.Minute))
				if begun != "" {
					strangers.Go(func() { io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\n"+begun) })
				}
			}
			began := time.Now()
			client := &http.Client{Timeout: 35 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			status := 0 // of the last of three
			for range 3 {
				if resp, err := client.Post("http://"+r.hooks.Addr+"/", "application/json", strings.NewReader("[]")); err == nil {
					resp.Body.Close()
					status = resp.StatusCode // 403: not signed, but heard
				}
			}
			took := time.Since(began)
			r.came("540 connections with %s: three POSTs of another answered %d after %.1f s", name, status, took.Seconds())
			if status != 403 || took > 5*time.Second {
				t.Errorf("want 403 within 5 s")
			}
		})
	}
}
