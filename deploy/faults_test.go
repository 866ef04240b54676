package deploy

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to lock a worker's store

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// impatient are the thresholds of rules that a test cannot wait for, and what takes their place. Everything else of the
// rules stays as it is, but that none waits for longer than a second.
var impatient = strings.NewReplacer("> 300", "> 2", "> 900", "> 2", "> 1000)", "> 3)", "> 20", "> 3")

// counters are what alerts see grow.
var counters = regexp.MustCompile(`(?:increase|rate)\((\w+(?:\{.*?\})?)\[`)

var waits = regexp.MustCompile(`(?m)^(\s*for:) .*$`)

// firing are the names of the alerts that fire.
func (p *prometheus) firing() map[string]bool {
	p.t.Helper()
	names := map[string]bool{}
	resp, err := http.Get("http://" + p.addr + "/api/v1/alerts")
	if err != nil {
		return names
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return names
	}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			names[a.Labels["alertname"]] = true
		}
	}
	return names
}

// TestHeavyEachAlertFiresByAFault makes what each alert is about happen to real processes, and sees it fire on a real Prometheus.
func TestHeavyEachAlertFiresByAFault(t *testing.T) {
	testenv.Heavy(t)
	tools := testenv.DeployTools(t)
	c := startCluster(t, tools)
	okqAddr := c.kubelets["okqd"].values["listen-addr"]
	const anywhere = "127.0.0.1:0"
	dir := t.TempDir()
	disk := smallDisk(t)
	full := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(disk, "okq"))
	open := process.Start(t, 2, "pm-hooks", "--webhook-addr", anywhere, "--ops-addr", anywhere, "--okq-addr", okqAddr)
	db := filepath.Join(dir, "pm.db")
	locked := process.Start(t, 1, "pm-worker", "--ops-addr", anywhere, "--okq-addr", okqAddr, "--sqlite", db, "--queues", job.QueueStats, "--sendgrid-key", "SG.x")

	slow := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(dir, "slow"))

	names := map[string]bool{}
	for _, r := range rules(t, dir) {
		names[r.Alert] = true
	}
	text, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "impatient.yaml")
	if err := os.WriteFile(file, []byte(waits.ReplaceAllString(impatient.Replace(string(text)), "$1 1s")), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPrometheus(t, tools, c, file, full, open, locked, slow)
	p.scraped()
	for _, counter := range counters.FindAllStringSubmatch(string(text), -1) {
		if n, err := p.series(counter[1]); err != nil || n == 0 {
			t.Errorf("%s is not there until it counts, so that the first goes unseen (%v)", counter[1], err)
		}
	}
	seen := map[string]bool{}
	until := func(what string, alerts ...string) {
		t.Helper()
		begin, fired := time.Now(), map[string]bool{}
		process.Eventually(t, 90*time.Second, what+" lets "+strings.Join(alerts, ", ")+" fire", func() bool {
			time.Sleep(200 * time.Millisecond)
			maps.Copy(fired, p.firing())
			return !slices.ContainsFunc(alerts, func(a string) bool { return !fired[a] })
		})
		maps.Copy(seen, fired)
		t.Logf("%s: %s after %v", what, strings.Join(alerts, ", "), time.Since(begin).Round(time.Second))
	}
	api := client.New(c.api)
	send := func(n int, to string) {
		for range n {
			api.Enqueue(t.Context(), &job.Email{To: to + "@example.com", From: "shop@example.org", Subject: "Hello", Text: "It works."}) //nolint:errcheck // a fault of this test's
		}
	}
	signal := func(workload string, s syscall.Signal) {
		for _, pod := range c.kubelets[workload].pods {
			pod.Signal(s)
		}
	}

	os.WriteFile(filepath.Join(disk, "filler"), make([]byte, smallDiskSize), 0o600) //nolint:errcheck // what does not fit any more is an error
	until("a disk that is all but full", "PostmasterDiskLow", "PostmasterDiskFull")
	if err := c.sendgrid.SetWebhookURL("http://127.0.0.1:1/"); err != nil {
		t.Fatal(err)
	}
	p.scraped()
	send(8, "alex")
	until("a webhook that goes nowhere", "PostmasterNoWebhookEvents")
	if err := c.sendgrid.SetWebhookURL(c.hooks); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		post(t, c.hooks, `[]`)
		post(t, "http://"+open.Addr, `[{"event": "account_status_change", "type": "suspend", "timestamp": 1}]`)
		time.Sleep(time.Second)
	}
	until("a POST without a signature, and a suspended account", "PostmasterWebhookRefused", "PostmasterAccountChanged")
	send(6, "spam")
	send(2, "reject400")
	send(2, "reset")
	until("complaints, a refused mail, and one of unknown outcome", "PostmasterComplaints", "PostmasterDeadLetters", "PostmasterOutcomesUnknown", "PostmasterMailsResent")
	if err := c.sendgrid.SetFaults(faults.Always(faults.WrongKey)); err != nil {
		t.Fatal(err)
	}
	send(60, "alex") // each worker takes ten for the account's fault
	until("a wrong key", "PostmasterBreakerOpen")
	c.sendgrid.ClearFaults()
	signal("pm-worker-send", syscall.SIGSTOP)
	send(2, "alex")
	until("senders that hang", "PostmasterMailWaits")
	signal("pm-worker-fold", syscall.SIGSTOP)
	locked.Signal(syscall.SIGSTOP) // it folds too
	signal("pm-worker-send", syscall.SIGCONT)
	until("folders that hang", "PostmasterEventsWait")
	locked.Signal(syscall.SIGCONT)
	lock(t, db)
	send(10, "alex")
	until("a locked store", "PostmasterStoreAway")
	signal("pm-worker-fold", syscall.SIGCONT)
	slowCommits(t, slow)
	until("a disk that is slow", "PostmasterOkqdSlow")
	signal("okqd", syscall.SIGSTOP)
	send(3, "alex")
	signal("okqd", syscall.SIGCONT)
	until("a queue that hangs", "PostmasterCallsFail")
	full.Kill()
	slow.Kill()
	for _, pod := range c.kubelets["okqd"].pods {
		pod.Kill()
	}
	until("no okqd", "PostmasterOkqdDown")
	// These take a disk that hangs for minutes, a Redis, or a fault that no test can bring about: TestAlertsFire has them.
	for _, name := range []string{"PostmasterOkqdDiskHangs", "PostmasterAllRefused", "PostmasterRedisMayEvict", "PostmasterRedisNotPersistent", "PostmasterSendingStuck"} {
		delete(names, name)
	}
	for name := range names {
		if !seen[name] {
			t.Errorf("%s never fired", name)
		}
	}
}

// slowCommits has an okqd stand still, again and again, just when it commits a push: to it the disk takes that long.
func slowCommits(t *testing.T, okqd *process.Process) {
	t.Helper()
	client, err := okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 40 {
		pushed := make(chan error, 1)
		go func() {
			pushed <- client.Push(t.Context(), okq.Event{Queue: "slow", ID: fmt.Sprint(i), Contents: []byte("x")})
		}()
		time.Sleep(time.Duration(50+20*i) * time.Microsecond)
		okqd.Signal(syscall.SIGSTOP)
		time.Sleep(300 * time.Millisecond)
		okqd.Signal(syscall.SIGCONT)
		if err := <-pushed; err != nil {
			t.Fatal(err)
		}
	}
}

const smallDiskSize = 64 << 20

// smallDisk is a file system of its own, in memory.
func smallDisk(t *testing.T) string {
	t.Helper()
	testenv.Root(t, "it mounts a small file system")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", smallDiskSize)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// lock keeps an SQLite file from being written to until the test ends.
func lock(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)") // the worker writes too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
}
