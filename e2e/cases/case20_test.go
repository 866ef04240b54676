package cases

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A second demo that only plays its story takes ports of its own.
func TestCase20DemoOnceRunsBesideADemo(t *testing.T) {
	for _, port := range []string{"8992", "8993", "8994", "8995", "4777", "9990"} {
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil { // else somebody has it, which is as good
			defer ln.Close()
		}
	}
	cmd := process.Command("postmaster", "demo", "--once")
	cmd.Env = append(cmd.Env, "HOME="+t.TempDir(), "XDG_CACHE_HOME=")
	out, err := cmd.CombinedOutput()
	t.Logf("came: %v, %s", err, lastLine(string(out)))
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The guide's third step, word for word, while its demo runs: no flag says where that is.
func TestCase20TheGuidesCommandsFindTheDemo(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home, "XDG_CACHE_HOME="}
	demo := process.New(t, "postmaster", "demo", "--data-dir", filepath.Join(home, "data"), "--ops-addr", anywhere, "--listen-addr", anywhere,
		"--webhook-addr", anywhere, "--inbox-addr", anywhere, "--console-addr", anywhere, "--okqd-listen-addr", anywhere, "--log-level", "info", "--log-format", "json")
	demo.Env = env
	demo.Run(5)
	if status, body := request(t, "POST", "http://"+demo.Addrs["api"]+"/", `{"jsonrpc": "2.0", "id": 1, "method": "Postmaster.Enqueue", "params": {
    "to": "bounce@example.com", "from": "shop@example.org", "subject": "Hello", "text": "It works.", "flags": 2, "uniqueID": "hello-1"}}`, "", nil); status != 200 {
		t.Fatalf("enqueue: %d %s", status, body)
	}
	find := regexp.MustCompile(`(?m)^\$ postmaster (email find .*)$`).FindStringSubmatch(guide(t))
	if find == nil {
		t.Fatal("the guide has no email find")
	}
	for _, args := range [][]string{strings.Fields(find[1]), append(strings.Fields(find[1]), "--data-dir", filepath.Join(home, "data"))} {
		var out []byte
		eventually(t, 20*time.Second, "the email is found", func() bool {
			cmd := process.Command("postmaster", args...)
			cmd.Env, cmd.Dir = append(cmd.Env, env...), home
			out, _ = cmd.CombinedOutput()
			return strings.Contains(string(out), "bounce@example.com") || strings.Contains(string(out), "must be")
		})
		t.Logf("came: postmaster %s: %s", strings.Join(args, " "), lastLine(string(out)))
		if !strings.Contains(string(out), "hello-1") {
			t.Errorf("postmaster %s: %s", strings.Join(args, " "), out)
		}
	}
	if status := demo.Stop(); status != 0 {
		t.Errorf("exit %d", status)
	}
	cmd := process.Command("postmaster", "queue", "status", "--data-dir", filepath.Join(home, "data"))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no serve or demo runs") {
		t.Errorf("after its end: %v, %s", err, out)
	}
}

func guide(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
