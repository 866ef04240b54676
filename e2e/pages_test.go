package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A page is one of docs, whose commands are executed as a reader's shell would, but on the ports that are free here.
type page struct {
	*testing.T
	name  string
	ports *strings.Replacer
	env   []string
	dir   string
}

// pageOfServe has postmaster serve, and the fake SendGrid, where the page has the demo.
func pageOfServe(t *testing.T, name string) {
	s := startServe(t)
	p := page{T: t, name: name, dir: t.TempDir(), ports: strings.NewReplacer(
		"127.0.0.1:8992", s.api.Addr, "127.0.0.1:8994", strings.TrimPrefix(s.sendgrid.URL(), "http://"), "-p 4777", "-p "+port(s.api.Addrs[""]),
	)}
	p.env = []string{"POSTMASTER_OKQ_ADDR=" + s.api.Addrs[""], "POSTMASTER_SQLITE=" + filepath.Join(s.api.Args[len(s.api.Args)-7], "postmaster.db")}
	p.follow()
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// follow executes the page. A command begins with "$ " and goes on until its quotes are closed; what it prints is below,
// with "…" for anything.
func (p *page) follow() {
	p.Helper()
	text, err := os.ReadFile("../docs/" + p.name)
	if err != nil {
		p.Fatal(err)
	}
	commands := 0
	for _, block := range consoleBlock.FindAllStringSubmatch(string(text), -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			commands++
			lines := strings.SplitAfter(step, "\n")
			n := 1
			for n < len(lines) && strings.Count(strings.Join(lines[:n], ""), "'")%2 == 1 {
				n++
			}
			p.expect(strings.TrimSpace(strings.Join(lines[:n], "")), strings.TrimSpace(strings.Join(lines[n:], "")))
		}
	}
	if commands == 0 {
		p.Errorf("%s has no commands", p.name)
	}
}

// expect runs one command. One that only looks is run again until it prints what the page says.
func (p *page) expect(command, want string) {
	p.Helper()
	pattern := regexp.MustCompile("(?s)^" + strings.ReplaceAll(spaces.ReplaceAllString(regexp.QuoteMeta(want), " +"), "…", ".*") + "$")
	looks := regexp.MustCompile(`^postmaster (email|queue status|status|prefs get|dead list)|GetLastEmail`).MatchString(command)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out := p.run(command)
		if pattern.MatchString(strings.TrimSpace(out)) {
			return
		}
		if !looks || time.Now().After(deadline) {
			p.Fatalf("%s: %s\nprinted:\n%s\nthe page says:\n%s", p.name, command, out, want)
		}
	}
}

var spaces = regexp.MustCompile(" +")

func (p *page) run(command string) string {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", p.ports.Replace(command))
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), append(p.env, "PATH="+filepath.Dir(process.Path("postmaster"))+":"+os.Getenv("PATH"))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}

func TestTheGuideIsTrue(t *testing.T) {
	t.Parallel()
	pageOfServe(t, "guide.md")
}

func TestThePagesOfTasksAreTrue(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"send-a-mail", "opt-out", "unknown-outcomes", "upgrade"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pageOfServe(t, "tasks/"+name+".md")
		})
	}
}

// The original okq left three mails in Redis, one of them claimed by a consumer that is gone.
func TestThePageOfMovingQueuesIsTrue(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedis(t)
	for _, id := range []string{"a", "b", "c"} {
		redis.CLI("HSET", "queue:{email-normal}:items", id, `{"to":"alex@example.com","from":"shop@example.org","subject":"Hello","html":"x"}`)
	}
	redis.CLI("LPUSH", "queue:{email-normal}", "b", "c")
	redis.CLI("LPUSH", "queue:{email-normal}:claimed", "a")
	okqd := testenv.FreeAddr(t)
	p := page{T: t, name: "tasks/move-queues.md", dir: t.TempDir(), ports: strings.NewReplacer("127.0.0.1:6379", redis.Addr, "127.0.0.1:4777", okqd)}
	p.env = []string{"POSTMASTER_OKQ_ADDR=" + okqd}
	p.follow()
}
