package cases

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// What a request becomes in memory is known before it is decoded.
func TestCase10FewBytesTakeLittleMemory(t *testing.T) {
	r := newRig(t)
	r.api = process.New(t, "pm-api", append([]string{"--okq-addr", r.okqd.Addr, "--listen-addr", anywhere, "--ops-addr", anywhere}, r.store()...)...)
	r.api.Env = []string{"GOMEMLIMIT=690MiB"}
	r.api.Run(2)
	const size = 30_000_000
	repeat := func(element string) string { return strings.Repeat(element+",", size/(len(element)+1)) + element }
	for _, c := range []struct{ name, members string }{
		{"attachments", `"attachments":[` + repeat("{}") + `]`},
		{"cc", `"cc":[` + repeat("{}") + `]`},
		{"categories", `"categories":[` + repeat(`""`) + `]`},
		{"headers", `"headers":{` + repeat(`"a":""`) + `}`},
		{"templateData", `"idempotencyKey":"k","templateID":"d-1","templateData":{"a":[` + repeat("{}") + `]}`},
		{"nesting", `"templateID":"d-1","templateData":{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
		{"unknown member", `"unknown":[` + repeat("[]") + `]`},
	} {
		body := `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"a@example.com","from":"shop@example.org","subject":"S","text":"T",` + c.members + `}}`
		answer := r.post(body)
		r.came("%s: %s; at most %d MiB so far", c.name, answer[:min(len(answer), 150)], peak(t, r.api))
		if !strings.Contains(answer, `"code":-32602`) {
			t.Errorf("%s: answered %.200s, want -32602", c.name, answer)
		}
	}
	if mib := peak(t, r.api); mib > 350 {
		t.Errorf("pm-api had %d MiB", mib)
	}
}

// Small batches cannot have answers of any size.
func TestCase10AnswersOfBatchesAreBounded(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	const discover = `{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`
	body := "[" + strings.Repeat(discover+",", 999) + discover + "]"
	var (
		wg   sync.WaitGroup
		size int
	)
	for i := range 32 {
		wg.Go(func() {
			status, answer := request(t, http.MethodPost, "http://"+r.api.Addr+"/", body, "", nil)
			if n := strings.Count(answer, `"id":1`); status != http.StatusOK || n != 1000 {
				t.Errorf("%d with %d answers", status, n)
			}
			if i == 0 {
				size = len(answer)
			}
		})
	}
	wg.Wait()
	r.came("1,000 x rpc.discover in %d bytes: %d bytes; at most %d MiB", len(body), size, peak(t, r.api))
	if size > 6<<20 {
		t.Errorf("an answer of %d bytes", size)
	}
	if mib := peak(t, r.api); mib > 600 {
		t.Errorf("pm-api had %d MiB", mib)
	}
}

// peak is the most memory that a process had, in MiB.
func peak(t *testing.T, p *process.Process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		t.Skipf("needs Linux: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
