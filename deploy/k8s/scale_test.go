//go:build k8s

package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// queues is what okqd tells autoscalers (GET /queues).
type queues struct {
	Backlog            int64
	OldestReadySeconds float64
}

func askOkqd(ops string, names []string) (q queues, err error) {
	resp, err := http.Get("http://" + ops + "/queues?" + url.Values{"queue": names}.Encode())
	if err != nil {
		return q, err
	}
	defer resp.Body.Close()
	return q, json.NewDecoder(resp.Body).Decode(&q)
}

// metricsServer answers the real HPA controller, as the Prometheus Adapter would, with what a real okqd says now.
func metricsServer(t *testing.T, ops string) *httptest.Server {
	mux := http.NewServeMux()
	const base = "/apis/external.metrics.k8s.io/v1beta1"
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the controller asks again
	}
	mux.HandleFunc("GET "+base, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "external.metrics.k8s.io/v1beta1", "resources": []any{}})
	})
	mux.HandleFunc("GET "+base+"/namespaces/{namespace}/{metric}", func(w http.ResponseWriter, r *http.Request) {
		q, err := askOkqd(ops, selected(r.URL.Query().Get("labelSelector")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		value := strconv.FormatInt(q.Backlog, 10)
		if r.PathValue("metric") == "okqd_queue_oldest_ready_seconds" {
			value = strconv.FormatInt(int64(q.OldestReadySeconds*1000), 10) + "m"
		}
		answer(w, map[string]any{"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": map[string]any{}, "items": []any{map[string]any{
			"metricName": r.PathValue("metric"), "metricLabels": map[string]string{}, "timestamp": time.Now().UTC().Format(time.RFC3339), "value": value,
		}}})
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: default}
spec: {type: ExternalName, externalName: localhost}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics, namespace: default, port: %s}
`, s.URL[strings.LastIndexByte(s.URL, ':')+1:]))
	return s
}

// selected are the queues of "queue in (a,b)" or "queue=a".
func selected(selector string) []string {
	if list, ok := strings.CutPrefix(selector, "queue in ("); ok {
		return strings.Split(strings.TrimSuffix(list, ")"), ",")
	}
	return []string{strings.TrimPrefix(selector, "queue=")}
}

func replicas(t *testing.T, deployment string) int {
	t.Helper()
	n, err := strconv.Atoi(kubectl(t, "", "get", "deployment/"+deployment, "-n", namespace, "-o", "jsonpath={.spec.replicas}"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sendersFollow fills a queue of a real okqd, has the real HPA controller raise the senders, empties it, and sees them go
// again, to zero: the server runs with the feature HPAScaleToZero.
func sendersFollow(t *testing.T) {
	okqd := process.Start(t, 2, "okqd", "--listen-addr", "127.0.0.1:0", "--ops-addr", "127.0.0.1:0", "--data-dir", t.TempDir())
	client, err := okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	metricsServer(t, okqd.Ops)
	apply(t, render(t, "base", "components/hpa"))
	kubectl(t, "", "patch", "hpa/pm-worker-send", "-n", namespace, "--type", "merge", "-p", `{"spec": {"minReplicas": 0, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}}`)
	eventually(t, 2*time.Minute, "no sender with an empty queue", func() bool { return replicas(t, "pm-worker-send") == 0 })

	const mails = 30_000
	events := make([]okq.Event, mails)
	for i := range events {
		events[i] = okq.Event{Queue: job.QueueEmailNormal, ID: strconv.Itoa(i), Contents: []byte(`{}`)}
	}
	if err := errors.Join(client.PushAll(t.Context(), events)...); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, 2*time.Minute, "six senders for 30,000 mails", func() bool { return replicas(t, "pm-worker-send") >= mails/5000 })
	t.Logf("0 to %d senders after %v", replicas(t, "pm-worker-send"), time.Since(begin).Round(time.Second))
	asKEDA(t, okqd.Ops, mails)

	if err := client.Flush(t.Context(), job.QueueEmailNormal); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	eventually(t, 3*time.Minute, "no sender once the queue is empty", func() bool { return replicas(t, "pm-worker-send") == 0 })
	t.Logf("to 0 senders after %v", time.Since(begin).Round(time.Second))
}

// asKEDA asks okqd the questions of the ScaledObjects' triggers, and finds the numbers where they look for them.
func asKEDA(t *testing.T, ops string, mails int64) {
	t.Helper()
	asked := 0
	for d := yaml.NewDecoder(strings.NewReader(render(t, "base", "components/keda"))); ; {
		var o struct {
			Kind string
			Spec struct {
				Triggers []struct {
					Metadata map[string]string
				}
			}
		}
		if d.Decode(&o) != nil {
			break
		}
		if o.Kind != "ScaledObject" {
			continue
		}
		for _, trigger := range o.Spec.Triggers {
			u, err := url.Parse(trigger.Metadata["url"])
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.Get("http://" + ops + u.RequestURI())
			if err != nil {
				t.Fatal(err)
			}
			var answer map[string]any
			err = json.NewDecoder(resp.Body).Decode(&answer)
			resp.Body.Close()
			value, ok := answer[trigger.Metadata["valueLocation"]].(float64)
			if err != nil || !ok {
				t.Errorf("%s has no number at %s: %v", u, trigger.Metadata["valueLocation"], answer)
			}
			if trigger.Metadata["valueLocation"] == "backlog" && strings.Contains(u.RawQuery, job.QueueEmailNormal) && int64(value) != mails {
				t.Errorf("%s says %v, want %d", u, value, mails)
			}
			asked++
		}
	}
	if asked == 0 {
		t.Error("there is no trigger to ask for")
	}
}
