package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

func TestKilledPMAPIQueuesEachKeyOnce(t *testing.T) {
	t.Parallel()
	for name, flags := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killWhileEnqueuing(t, 400, 3, flags(t)...)
		})
	}
}

func databases() map[string]func(testing.TB) []string {
	return map[string]func(testing.TB) []string{
		"sqlite": func(tb testing.TB) []string { return []string{"--sqlite", filepath.Join(tb.TempDir(), "pm.db")} },
		"mongo":  func(tb testing.TB) []string { return []string{"--mongo-addr", testenv.Mongo(tb)} },
	}
}

// killWhileEnqueuing has callers enqueue mails, each under a key of its own and until it hears success, while pm-api is
// killed over and over. Then each mail has to be in okq once, under the id that its caller heard.
func killWhileEnqueuing(t *testing.T, mails, kills int, flags ...string) {
	okqd := okqdtest.RunT(t)
	run := func() *process { return start(t, nil, append(flags, "--okq-addr", okqd.Addr)...) }
	var url atomic.Value
	p := run()
	url.Store(p.url)

	ids, tries := make([]job.ID, mails), atomic.Int64{}
	next, done := make(chan int), make(chan struct{})
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for n := range next {
				for ids[n] == "" {
					tries.Add(1)
					ids[n] = tryEnqueue(url.Load().(string), n)
				}
			}
		})
	}
	go func() {
		defer close(done)
		for n := range mails {
			next <- n
		}
		close(next)
		callers.Wait()
	}()
	for k := range kills {
		atLeast := int64((k + 1) * mails / (kills + 1))
		waitUntil(t, done, func() bool { return tries.Load() >= atLeast })
		p.kill(t)
		p = run()
		url.Store(p.url)
	}
	<-done
	if tries.Load() == int64(mails) {
		t.Error("no call was made twice, so nothing was shown")
	}
	wantEachOnce(t, okqd.Addr, ids)
	t.Logf("%d mails in %d calls, pm-api killed %d times", mails, tries.Load(), kills)
}

// tryEnqueue returns "" for anything but success.
func tryEnqueue(url string, n int) job.ID {
	c := http.Client{Timeout: 20 * time.Second}
	resp, err := c.Post(url, "application/json", strings.NewReader(enqueue(n, "key-"+strconv.Itoa(n))))
	if err != nil {
		time.Sleep(10 * time.Millisecond) // until it runs again
		return ""
	}
	defer resp.Body.Close()
	var answer struct{ Result struct{ ID job.ID } }
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return ""
	}
	return answer.Result.ID
}

func waitUntil(t *testing.T, done chan struct{}, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// wantEachOnce pops all that okq has.
func wantEachOnce(t *testing.T, addr string, ids []job.ID) {
	t.Helper()
	q, err := okq.New(okq.Options{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	times := map[string]int{}
	for {
		events, err := q.Pop(t.Context(), job.QueueEmailNormal, 500, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, event := range events {
			e, err := job.DecodeEmail(event.ID, event.Contents)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := strconv.Atoi(e.UniqueID); string(ids[n]) != event.ID {
				t.Errorf("mail %d is queued as %s, and its caller heard %s", n, event.ID, ids[n])
			}
			times[event.ID]++
		}
	}
	if len(times) != len(ids) {
		t.Errorf("%d mails are queued, want %d", len(times), len(ids))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s is queued %d times", id, n)
		}
	}
}

// TestHeavyLargeMailsInBoundedMemory sends 200 mails of 25 MB at once to a pm-api that may have 2 GiB.
func TestHeavyLargeMailsInBoundedMemory(t *testing.T) {
	testenv.Heavy(t)
	const (
		mails = 200
		limit = 2 << 30
	)
	okqd := okqdtest.RunT(t)
	p := start(t, []string{"GOMEMLIMIT=2GiB"}, "--okq-addr", okqd.Addr)
	body := largeCall(25_000_000)
	var ok, busy atomic.Int64
	var wg sync.WaitGroup
	for range mails {
		wg.Go(func() {
			resp, err := http.Post(p.url, "application/json", strings.NewReader(body))
			if err != nil {
				t.Errorf("no answer: %v", err)
				return
			}
			defer resp.Body.Close()
			var answer struct {
				Result struct{ Success bool }
				Error  struct{ Code int }
			}
			switch err := json.NewDecoder(resp.Body).Decode(&answer); {
			case err == nil && answer.Result.Success:
				ok.Add(1)
			case err == nil && answer.Error.Code == -32002:
				busy.Add(1)
			default:
				t.Errorf("status %d, %+v, %v", resp.StatusCode, answer, err)
			}
		})
	}
	wg.Wait()
	peak := peakMemory(t, p.cmd.Process.Pid)
	t.Logf("%d mails queued, %d told to try again, peak memory %d MiB", ok.Load(), busy.Load(), peak>>20)
	if peak > limit {
		t.Errorf("peak memory %d MiB, want at most 2 GiB", peak>>20)
	}
	if ok.Load() == 0 {
		t.Error("none was queued")
	}
}

func largeCall(size int) string {
	return `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"rcpt@example.com","from":"sender@example.com",` +
		`"subject":"Large","text":"hi","attachments":[{"filename":"a.bin","content":"` + strings.Repeat("QUJD", size/4) + `"}]}}`
}

// peakMemory is what the process had at most, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("the peak of a process' memory is not to be had here: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
