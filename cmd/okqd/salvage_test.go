package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/ledger"
)

// fill starts okqd on a new directory, does what a queue goes through, and stops it.
func fill(t *testing.T, bin string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	p := start(t, bin, dir)
	c := ledger.Client(p.addr)
	defer c.Close()
	for _, command := range []string{
		"QLPUSH q gone x", "QRPOP q", "QACK q gone", "QLPUSH q leased 1", "QRPOP q EX 600",
		"QLPUSH q a 2", "QLPUSH q b 3", "QRPUSH q front 4", "QLPUSH q later 5 DELAY 86400000",
		"QLPUSH q again 6", "QACK q again", "QLPUSH q again 7", "QLPUSH \x00/odd..queue id \r\n$1\r\n",
	} {
		do(t, c, strings.Split(command, " ")...)
	}
	stop(t, p)
	return dir
}

func do(t *testing.T, c *redis.Client, args ...string) any {
	t.Helper()
	list := make([]any, len(args))
	for i, arg := range args {
		list[i] = arg
	}
	reply, err := c.Do(t.Context(), list...).Result()
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return reply
}

func stop(t *testing.T, p *process) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	log := <-p.log
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("stop: %v\n%s", err, strings.Join(log, "\n"))
	}
}

// tool runs okqd with args and returns its standard output and exit status.
func tool(t *testing.T, bin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// sums are the checksums of a directory's files, with their modes and times.
func sums(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x %v %v\n", e.Name(), sha256.Sum256(content), info.Mode(), info.ModTime())
	}
	return b.String()
}

// pushAgain pushes an export to a new okqd and returns what a pop of all gives.
func pushAgain(t *testing.T, bin, export string) (events string, delayed any) {
	t.Helper()
	p := start(t, bin, filepath.Join(t.TempDir(), "new"))
	nc, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte(export)); err != nil {
		t.Fatal(err)
	}
	nc.(*net.TCPConn).CloseWrite()
	replies, err := io.ReadAll(nc)
	if err != nil || strings.Count(string(replies), "+OK\r\n")*len("+OK\r\n") != len(replies) {
		t.Fatalf("replies %q, %v", replies, err)
	}
	c := ledger.Client(p.addr)
	defer c.Close()
	var list []string
	for _, queue := range []string{"q", "\x00/odd..queue"} {
		for _, ev := range do(t, c, "QRPOP", queue, "EX", "60", "COUNT", "1000").([]any) {
			list = append(list, fmt.Sprint(ev.([]any)[0], "=", ev.([]any)[1]))
		}
	}
	return strings.Join(list, " "), do(t, c, "QPEEK", "q", "later")
}

const filled = "leased=1 front=4 a=2 b=3 again=7 id=\r\n$1\r\n"

func TestCheckAndSalvageOfAWholeDirectory(t *testing.T) {
	t.Parallel()
	bin := build(t)
	dir := fill(t, bin)
	before := sums(t, dir)
	if stdout, stderr, status := tool(t, bin, "check", dir); status != 0 || !strings.Contains(stdout, "is whole: 7 events in 2 queues") {
		t.Errorf("check: exit %d\n%s%s", status, stdout, stderr)
	}
	file := filepath.Join(t.TempDir(), "export.resp")
	if _, stderr, status := tool(t, bin, "salvage", dir, "--out", file); status != 0 {
		t.Fatalf("salvage: exit %d\n%s", status, stderr)
	}
	export, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	events, delayed := pushAgain(t, bin, string(export))
	if events != filled {
		t.Errorf("pushed again: %q, want %q", events, filled)
	}
	if s := fmt.Sprint(delayed); !strings.HasPrefix(s, "[delayed 5 0 86") {
		t.Errorf("delayed: %s", s)
	}
	if stdout, _, status := tool(t, bin, "salvage", dir); status != 0 || len(stdout) != len(export) {
		t.Errorf("to standard output: %d bytes, exit %d", len(stdout), status)
	}
	if _, stderr, status := tool(t, bin, "salvage", dir, "--out", file); status != 1 || !strings.Contains(stderr, "--out") {
		t.Errorf("onto a file that exists: exit %d\n%s", status, stderr)
	}
	if _, stderr, status := tool(t, bin, "salvage", dir, "--out", filepath.Join(dir, "export")); status != 1 || !strings.Contains(stderr, "--out") {
		t.Errorf("into the directory itself: exit %d\n%s", status, stderr)
	}
	if after := sums(t, dir); after != before {
		t.Errorf("the directory has changed:\n%s\n%s", before, after)
	}
}

func TestSalvageWritesAFileForEachQueue(t *testing.T) {
	t.Parallel()
	bin := build(t)
	out := t.TempDir()
	if _, stderr, status := tool(t, bin, "salvage", fill(t, bin), "--out", out); status != 0 {
		t.Fatalf("exit %d\n%s", status, stderr)
	}
	var all strings.Builder
	for _, name := range []string{"q.resp", "%00%2Fodd..queue.resp"} {
		content, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	if events, _ := pushAgain(t, bin, all.String()); events != filled {
		t.Errorf("pushed again: %q", events)
	}
}

// Whatever is damaged, check says so, and salvage gives all that the rest tells.
func TestSalvageOfADamagedDirectory(t *testing.T) {
	t.Parallel()
	bin := build(t)
	const segment = "000001.segment"
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"secret gone":    {func(t *testing.T, dir string) { remove(t, dir, "journal") }, filled},
		"secret damaged": {func(t *testing.T, dir string) { flip(t, dir, "journal", "okqd") }, filled},
		"an event":       {func(t *testing.T, dir string) { flip(t, dir, segment, "front") }, "leased=1 a=2 b=3 again=7 id=\r\n$1\r\n"},
		"the beginning": {func(t *testing.T, dir string) { // gone's push, and its end is that of nothing
			overwrite(t, filepath.Join(dir, segment), 0, 100)
		}, filled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fill(t, bin)
			c.damage(t, dir)
			before := sums(t, dir)
			if stdout, stderr, status := tool(t, bin, "check", dir); status != 1 || !strings.Contains(stdout, "DAMAGED") {
				t.Errorf("check: exit %d\n%s%s", status, stdout, stderr)
			}
			stdout, stderr, status := tool(t, bin, "salvage", dir)
			if status != 0 || !strings.Contains(stderr, "DAMAGED") {
				t.Errorf("salvage: exit %d\n%s", status, stderr)
			}
			if events, _ := pushAgain(t, bin, stdout); events != c.want {
				t.Errorf("pushed again: %q, want %q", events, c.want)
			}
			if after := sums(t, dir); after != before {
				t.Errorf("the directory has changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestCheckOfWhatIsNoDirectoryOfOurs(t *testing.T) {
	t.Parallel()
	bin := build(t)
	if _, stderr, status := tool(t, bin, "check", filepath.Join(t.TempDir(), "none")); status != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("exit %d\n%s", status, stderr)
	}
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, bin, dir)
	for _, name := range []string{"check", "salvage"} {
		if _, stderr, status := tool(t, bin, name, dir); status != 1 || !strings.Contains(stderr, "in use by another process") {
			t.Errorf("%s of one that is in use: exit %d\n%s", name, status, stderr)
		}
	}
	stop(t, p)
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// flip turns a bit over of the first place where a file has that text.
func flip(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(content, []byte(text))
	if i < 0 {
		t.Fatalf("no %q in %s", text, name)
	}
	content[i] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, off int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, n), off); err != nil {
		t.Fatal(err)
	}
}
