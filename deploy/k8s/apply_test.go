//go:build k8s

package k8s

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestManifests goes the way of a user: everything is checked, then applied, upgraded, rolled back, drained and scaled.
func TestManifests(t *testing.T) {
	furnish(t)
	t.Run("each variant is taken by the server", eachIsTaken)
	apply(t, render(t, "base"))
	t.Run("all pods are admitted and ready", allReady)
	t.Run("a pod that is not restricted is refused", rootIsRefused)
	t.Run("a drain does not take both pods of pm-api", budgetHolds)
	t.Run("an upgrade rolls out and back", upgradeAndBack)
	t.Run("senders follow the queue", sendersFollow)
}

func eachIsTaken(t *testing.T) {
	variants := [][]string{{"base"}, {"base", "components/redis", "components/ingress", "components/monitoring", "components/hpa"}}
	for _, kind := range []string{"components", "overlays"} {
		dirs, err := filepath.Glob("../" + kind + "/*/kustomization.yaml")
		if err != nil || len(dirs) == 0 {
			t.Fatalf("no %s: %v", kind, err)
		}
		for _, file := range dirs {
			part := kind + "/" + filepath.Base(filepath.Dir(file))
			if kind == "overlays" {
				variants = append(variants, []string{part})
			} else {
				variants = append(variants, []string{"base", part})
			}
		}
	}
	for _, parts := range variants {
		if out, err := try(t, render(t, parts...), "apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-f", "-"); err != nil {
			t.Errorf("%s: %v%s", strings.Join(parts, "+"), err, out)
		}
	}
	t.Logf("%d variants", len(variants))
}

var workloads = []string{"deployment/pm-api", "deployment/pm-hooks", "deployment/pm-worker-send", "deployment/pm-worker-fold", "statefulset/okqd"}

func allReady(t *testing.T) {
	for _, w := range workloads {
		kubectl(t, "", "rollout", "status", "-n", namespace, w, "--timeout=90s")
	}
	var pods struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ NodeName string }
			Status   struct{ Phase string }
		}
	}
	get(t, &pods, "pods")
	nodes := map[string]bool{}
	for _, p := range pods.Items {
		nodes[p.Spec.NodeName] = true
		if p.Status.Phase != "Running" {
			t.Errorf("%s is %s", p.Metadata.Name, p.Status.Phase)
		}
	}
	t.Logf("%d pods on %d nodes", len(pods.Items), len(nodes))
	if len(nodes) < 2 {
		t.Error("all pods are on one node")
	}
}

func rootIsRefused(t *testing.T) {
	_, err := try(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root", "namespace": "postmaster"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}`,
		"apply", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("error %v, want that it violates PodSecurity restricted", err)
	}
}

// evict asks for an eviction as a drain does.
func evict(t *testing.T, pod string) error {
	t.Helper()
	_, err := try(t, fmt.Sprintf(`{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": %q, "namespace": "postmaster"}}`, pod),
		"create", "--raw", "/api/v1/namespaces/postmaster/pods/"+pod+"/eviction", "-f", "-")
	return err
}

// A drain may take one of pm-api's two pods, and not the other before the first has come up elsewhere; here it cannot.
func budgetHolds(t *testing.T) {
	pods := strings.Fields(kubectl(t, "", "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/name=pm-api", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(pods) < 2 {
		t.Fatalf("%d pods of pm-api", len(pods))
	}
	nodes := []string{"node-0", "node-1", "node-2"}
	kubectl(t, "", append([]string{"cordon"}, nodes...)...)
	if err := evict(t, pods[0]); err != nil {
		t.Errorf("%s was not evicted: %v", pods[0], err)
	}
	if err := evict(t, pods[1]); err == nil || !strings.Contains(err.Error(), "disruption budget") {
		t.Errorf("%s: %v, want a refusal by the disruption budget", pods[1], err)
	}
	kubectl(t, "", append([]string{"uncordon"}, nodes...)...)
	allReady(t)
}

func upgradeAndBack(t *testing.T) {
	image := func() string {
		return kubectl(t, "", "get", "deployment/pm-worker-send", "-n", namespace, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	}
	before := image()
	apply(t, strings.ReplaceAll(render(t, "base"), ":dev", ":v2"))
	allReady(t)
	if image() != "postmaster/pm-worker:v2" {
		t.Errorf("after the upgrade the image is %s", image())
	}
	for _, w := range workloads {
		kubectl(t, "", "rollout", "undo", "-n", namespace, w)
	}
	allReady(t)
	if image() != before {
		t.Errorf("rolled back to %s, want %s", image(), before)
	}
}
