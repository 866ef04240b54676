package deploy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
)

// service is a Service: a proxy to the ready pods. A call that finds its pod gone is the caller's to make again.
func service(t *testing.T, k *kubelet) string {
	var turn atomic.Int64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			addr, err := k.endpoint(int(turn.Add(1)))
			if err != nil {
				addr = "127.0.0.1:1" // refuses connections
			}
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// A cluster is every process of the base, as the manifests say, and the sandbox in SendGrid's place.
type cluster struct {
	t        *testing.T
	kubelets map[string]*kubelet // by workload
	sendgrid *sandbox.Sandbox
	api      string // of the Service
	hooks    string // likewise
}

func startCluster(t *testing.T, tools testenv.Deploy) *cluster {
	t.Helper()
	c := &cluster{t: t, kubelets: map[string]*kubelet{}, sendgrid: sandboxtest.RunT(t)}
	_, objects := render(t, tools, "base", []string{"base"})
	const anywhere = "127.0.0.1:0"
	okqAddr, mongo := testenv.FreeAddr(t), testenv.Mongo(t)
	c.run(objects, "okqd", map[string]string{"listen-addr": okqAddr, "ops-addr": anywhere, "data-dir": filepath.Join(t.TempDir(), "okq")})
	c.api = service(t, c.run(objects, "pm-api", map[string]string{"listen-addr": anywhere, "ops-addr": anywhere, "okq-addr": okqAddr, "mongo-addr": mongo}))
	c.hooks = service(t, c.run(objects, "pm-hooks", map[string]string{
		"webhook-addr": anywhere, "ops-addr": anywhere, "okq-addr": okqAddr, "webhook-public-key": c.sendgrid.PublicKey(), "accept-env": "production",
	}))
	if err := c.sendgrid.SetWebhookURL(c.hooks); err != nil {
		t.Fatal(err)
	}
	worker := map[string]string{
		"ops-addr": anywhere, "okq-addr": okqAddr, "mongo-addr": mongo, "sendgrid-key": "SG.test", "sendgrid-url": c.sendgrid.URL(), "environment": "production",
		"evidence-wait": "2s",
	}
	c.run(objects, "pm-worker-send", worker)
	c.run(objects, "pm-worker-fold", worker)
	return c
}

// run starts the pods of a workload.
func (c *cluster) run(objects []*object, name string, values map[string]string) *kubelet {
	c.t.Helper()
	k := &kubelet{t: c.t, values: values, replicas: 1}
	for _, o := range objects {
		if o.Metadata.Name != name || o.Kind != "Deployment" && o.Kind != "StatefulSet" {
			continue
		}
		var w workload
		o.spec(c.t, &w)
		k.spec, k.program = &w.Template.Spec, w.Template.Spec.Containers[0]
		if w.Replicas != nil {
			k.replicas = *w.Replicas
		}
	}
	for range k.replicas {
		k.start()
	}
	c.kubelets[name] = k
	return k
}

// TestHeavyRollingRestartLosesAndDoublesNothing restarts every process under load, twice, with the manifests' own probes,
// preStops, signals and grace periods.
func TestHeavyRollingRestartLosesAndDoublesNothing(t *testing.T) {
	testenv.Heavy(t)
	c := startCluster(t, testenv.DeployTools(t))
	load := startLoad(t.Context(), client.New(c.api))
	for range 2 {
		c.kubelets["okqd"].restart()
		for _, name := range []string{"pm-api", "pm-hooks", "pm-worker-send", "pm-worker-fold"} {
			c.kubelets[name].roll()
		}
	}
	sent, refused := load.end()
	for name, k := range c.kubelets {
		if k.killed > 0 {
			t.Errorf("%d pods of %s did not end within their grace period", k.killed, name)
		}
	}
	checkMails(t, client.New(c.api), c.sendgrid, sent)
	t.Logf("%d mails, %d calls made again, every process restarted twice", len(sent), refused)
}

// A load enqueues mails one after the other, each until it is acknowledged.
type load struct {
	stop    context.CancelFunc
	wg      sync.WaitGroup
	mu      sync.Mutex // protects the fields below
	sent    []job.ID
	refused int
}

func startLoad(ctx context.Context, api *client.Client) *load {
	l := &load{}
	ctx, l.stop = context.WithCancel(ctx)
	for caller := range 4 {
		l.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				mail := &job.Email{To: "alex@example.com", From: "shop@example.org", Subject: "Hello", Text: "It works.", IdempotencyKey: fmt.Sprintf("%d-%d", caller, n)}
				l.enqueue(api, mail)
				time.Sleep(40 * time.Millisecond)
			}
		})
	}
	return l
}

func (l *load) enqueue(api *client.Client, mail *job.Email) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		id, err := api.Enqueue(ctx, mail)
		cancel()
		l.mu.Lock()
		if err == nil {
			l.sent = append(l.sent, id)
			l.mu.Unlock()
			return
		}
		l.refused++
		l.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *load) end() (sent []job.ID, refused int) {
	l.stop()
	l.wg.Wait()
	return l.sent, l.refused
}

// checkMails: each was accepted once, and its events are folded.
func checkMails(t *testing.T, api *client.Client, sendgrid *sandbox.Sandbox, sent []job.ID) {
	t.Helper()
	process.Eventually(t, 2*time.Minute, "every mail is sent", func() bool {
		for _, id := range sent {
			if sendgrid.Accepted(string(id)) == 0 {
				return false
			}
		}
		return true
	})
	doubled := 0
	for _, a := range sendgrid.AllAccepted() {
		doubled += a.Count - 1
	}
	if doubled > 0 {
		t.Errorf("%d mails were sent again", doubled)
	}
	for _, id := range sent {
		process.Eventually(t, time.Minute, "events of "+string(id)+" are folded", func() bool {
			email, err := api.GetEmail(t.Context(), id)
			return err == nil && email != nil && email.Stat != nil && email.Stat.StateFlags&2 != 0
		})
	}
}
