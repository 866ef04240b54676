package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m)) }

const anywhere = "127.0.0.1:0"

// A rig starts programs that share one okqd, one SQLite file and one sandbox in SendGrid's place.
// Fields stay nil until their start method is called.
type rig struct {
	t                        *testing.T
	dir                      string
	okqd, api, worker, hooks *process.Process
	sendgrid                 *sandbox.Sandbox
	mongo                    string // URI of a MongoDB in the SQLite file's place; empty: the file
}

// newRig starts okqd and the sandbox.
func newRig(t *testing.T, okqdFlags ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), sendgrid: sandboxtest.RunT(t)}
	r.okqd = process.Start(t, 2, "okqd", append([]string{"--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(r.dir, "okq")}, okqdFlags...)...)
	return r
}

func (r *rig) store() []string {
	if r.mongo != "" {
		return []string{"--mongo-addr", r.mongo}
	}
	return []string{"--sqlite", filepath.Join(r.dir, "pm.db")}
}

func (r *rig) startAPI(flags ...string) {
	r.t.Helper()
	args := append([]string{"--okq-addr", r.okqd.Addr, "--listen-addr", anywhere, "--ops-addr", anywhere}, r.store()...)
	r.api = process.Start(r.t, 2, "pm-api", append(args, flags...)...)
}

func (r *rig) startWorker(flags ...string) {
	r.t.Helper()
	args := append([]string{"--okq-addr", r.okqd.Addr, "--ops-addr", anywhere, "--sendgrid-key", "SG.case", "--sendgrid-url", r.sendgrid.URL()}, r.store()...)
	r.worker = process.Start(r.t, 1, "pm-worker", append(args, flags...)...)
}

// startHooks starts pm-hooks and has the sandbox post its signed events there.
func (r *rig) startHooks(flags ...string) {
	r.t.Helper()
	r.hooks = process.Start(r.t, 2, "pm-hooks", append([]string{"--okq-addr", r.okqd.Addr, "--webhook-addr", anywhere, "--ops-addr", anywhere,
		"--webhook-public-key", r.sendgrid.PublicKey()}, flags...)...)
	if err := r.sendgrid.SetWebhookURL("http://" + r.hooks.Addr + "/"); err != nil {
		r.t.Fatal(err)
	}
}

// input reads a file of testdata.
func (r *rig) input(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// state is where GetEmail says that an email stands.
func (r *rig) state(id string) string {
	r.t.Helper()
	var result struct{ Email struct{ State string } }
	r.result("GetEmail", `{"id":"`+id+`"}`, &result)
	return result.Email.State
}

// call makes one JSON-RPC call and returns the whole answer.
func (r *rig) call(method, params string) string {
	r.t.Helper()
	return r.post(`{"jsonrpc":"2.0","id":1,"method":"Postmaster.` + method + `","params":` + params + `}`)
}

// post posts a body to pm-api and returns the answer's.
func (r *rig) post(body string) string {
	r.t.Helper()
	resp, err := http.Post("http://"+r.api.Addr+"/", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(bytes.TrimSpace(answer))
}

// result is the result of a call that must succeed.
func (r *rig) result(method, params string, into any) {
	r.t.Helper()
	answer := r.call(method, params)
	var reply struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || reply.Error != nil {
		r.t.Fatalf("%s: %s", method, answer)
	}
	if err := json.Unmarshal(reply.Result, into); err != nil {
		r.t.Fatalf("%s: %s: %v", method, answer, err)
	}
}

// enqueue queues one plain email to an address and returns its id. Extra is further members, such as `,"flags":4`.
func (r *rig) enqueue(to, extra string) string {
	r.t.Helper()
	var result struct{ ID string }
	r.result("Enqueue", `{"to":"`+to+`","from":"shop@example.org","subject":"Hello","text":"It works."`+extra+`}`, &result)
	return result.ID
}

// enqueueMany queues n emails in one call and returns their ids. Extra is as in enqueue.
func (r *rig) enqueueMany(n int, to func(int) string, extra string) []string {
	r.t.Helper()
	calls := make([]string, n)
	for i := range calls {
		calls[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"Postmaster.Enqueue","params":{"to":%q,"from":"shop@example.org","subject":"Hello","text":"It works."%s}}`, i, to(i), extra)
	}
	answer := r.post("[" + strings.Join(calls, ",") + "]")
	var replies []struct {
		ID     int
		Result struct{ ID string }
	}
	if err := json.Unmarshal([]byte(answer), &replies); err != nil || len(replies) != n {
		r.t.Fatalf("Enqueue of %d emails: %.300s: %v", n, answer, err)
	}
	ids := make([]string, n)
	for _, reply := range replies {
		ids[reply.ID] = reply.Result.ID
	}
	if slices.Contains(ids, "") {
		r.t.Fatalf("Enqueue of %d emails: %.300s", n, answer)
	}
	return ids
}

// came notes for the table what happened.
func (r *rig) came(format string, args ...any) {
	r.t.Helper()
	r.t.Logf("came: "+format, args...)
}

func eventually(t *testing.T, limit time.Duration, what string, true func() bool) {
	t.Helper()
	process.Eventually(t, limit, what, true)
}

// metricsOf reads a process's /metrics.
func metricsOf(t *testing.T, ops string) string {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
