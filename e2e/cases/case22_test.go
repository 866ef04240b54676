package cases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// traced is an okqd under strace, which notes what it writes to which file.
type traced struct {
	cmd   *exec.Cmd
	addr  string
	notes string // strace's
}

func startTraced(t *testing.T, dir string) *traced {
	t.Helper()
	testenv.Root(t, "strace")
	p := &traced{notes: filepath.Join(t.TempDir(), "strace")}
	args := []string{"-f", "-y", "-s", "0", "-o", p.notes, "-e", "trace=pwrite64"}
	okqd := process.Command("okqd", "--listen-addr", anywhere, "--ops-addr", "", "--data-dir", dir, "--min-free", "0")
	p.cmd = exec.Command(testenv.Program(t, "strace"), append(append(args, okqd.Path), okqd.Args[1:]...)...)
	p.cmd.Env = okqd.Env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	lines := bufio.NewScanner(stderr)
	for p.addr == "" && lines.Scan() {
		var line struct{ Message, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "listening" {
			p.addr = line.Addr
		} else if strings.HasPrefix(lines.Text(), "okqd: ") {
			t.Fatal(lines.Text())
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return p
}

// kill is kill -9 of okqd and of strace.
func (p *traced) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.cmd.Wait() //nolint:errcheck // it was killed
}

func push(t *testing.T, addr, id string) error {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer c.Close()
	return c.Do(t.Context(), "QLPUSH", "q", id, strings.Repeat("x", 2000)).Err()
}

var pwrite = regexp.MustCompile(`pwrite64\(\d+<([^>]*)>, ""\.\.\., (\d+), (\d+)\) *= (\d+)`)

// write copies to a disk what a process wrote to a directory, which holds it.
func (p *traced) write(t *testing.T, dir, disk string) {
	t.Helper()
	notes, err := os.ReadFile(p.notes)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range pwrite.FindAllStringSubmatch(string(notes), -1) {
		if filepath.Dir(m[1]) != dir {
			continue
		}
		size, _ := strconv.Atoi(m[2])
		off, _ := strconv.ParseInt(m[3], 10, 64)
		content, err := os.ReadFile(m[1])
		if err != nil {
			continue // made and removed
		}
		f, err := os.OpenFile(filepath.Join(disk, filepath.Base(m[1])), os.O_WRONLY|os.O_CREATE, 0o600)
		if err == nil {
			_, err = f.WriteAt(content[off:off+int64(size)], off)
		}
		if err == nil {
			err = f.Truncate(int64(len(content)))
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// One fdatasync failed with EIO. Linux then takes the pages for clean, so what they hold is read by all and never written.
// okqd once took it for its log; after a reboot it did not start, with all that it had acknowledged since.
func TestCase22FailedSyncIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := &rig{t: t}
	dir, disk := filepath.Join(t.TempDir(), "okq"), filepath.Join(t.TempDir(), "disk")

	fails := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", dir, "--min-free", "0")
	for i := range 5 {
		if err := push(t, fails.Addr, fmt.Sprint("before", i)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(1500 * time.Millisecond)                    // then it has written a seal, and has nothing else to write
	if err := os.CopyFS(disk, os.DirFS(dir)); err != nil { // all of it is synced
		t.Fatal(err)
	}
	injectSyncs(t, fails, "error=EIO")
	if err := push(t, fails.Addr, "failed"); err == nil {
		t.Fatal("acknowledged although the sync failed")
	}
	fails.Cmd.Wait() //nolint:errcheck // it ends by itself

	p := startTraced(t, dir)
	if err := push(t, p.addr, "failed"); err != nil && !strings.Contains(err.Error(), "duplicate") {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := push(t, p.addr, fmt.Sprint("after", i)); err != nil {
			t.Fatal(err)
		}
	}
	p.kill()
	p.write(t, dir, disk) // the rest of the failed push is in no sector of the disk

	rebooted := process.New(t, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", disk)
	rebooted.Run(0)
	eventually(t, 20*time.Second, "okqd listens or ends", func() bool {
		return strings.Count(rebooted.Log(), `"listening"`) == 2 || strings.Contains(rebooted.Log(), "okqd: ")
	})
	if log := rebooted.Log(); strings.Contains(log, "okqd: ") {
		r.came("after a reboot: %s", log[strings.Index(log, "okqd: "):])
		t.Fatal("okqd does not start")
	}
	addr := regexp.MustCompile(`"addr":"([^"]*)","time":"[^"]*","message":"listening"`).FindStringSubmatch(rebooted.Log())
	if addr == nil {
		t.Fatal(rebooted.Log())
	}
	c := redis.NewClient(&redis.Options{Addr: addr[1]})
	defer c.Close()
	events := fmt.Sprint(c.Do(t.Context(), "QSCAN", "q", "0", "COUNT", "100").Val())
	r.came("after a reboot: %s", events)
	if events != "[0 [before0 before1 before2 before3 before4 failed after0 after1 after2 after3 after4]]" {
		t.Errorf("after a reboot: %s", events)
	}
}
