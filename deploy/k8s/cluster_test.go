//go:build k8s

package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m, "okqd")) }

const namespace = "postmaster"

// try runs kubectl and returns what it printed, or its complaint.
func try(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(input)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, complaint.String())
	}
	if strings.Contains(complaint.String(), "Warning:") {
		return "", fmt.Errorf("kubectl %s: %s", strings.Join(args, " "), complaint.String())
	}
	return string(out), nil
}

func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := try(t, input, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// apply is what a user runs, and strict: a field that the server does not know is an error, and so is a warning.
func apply(t *testing.T, manifests string, args ...string) {
	t.Helper()
	kubectl(t, manifests, append([]string{"apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"}, args...)...)
}

func get(t *testing.T, into any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(kubectl(t, "", append([]string{"get", "-n", namespace, "-o", "json"}, args...)...)), into); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, within time.Duration, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !happened(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: has not happened", what)
		}
	}
}

// render makes what kustomize makes of some folders of deploy/ together; folders of components are components.
func render(t *testing.T, parts ...string) string {
	t.Helper()
	if len(parts) == 1 {
		return kubectl(t, "", "kustomize", "../"+parts[0])
	}
	dir := t.TempDir()
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	to, err := filepath.Rel(dir, here)
	if err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: postmaster\nresources: [" + to + "/" + parts[0] + "]\ncomponents:\n"
	for _, part := range parts[1:] {
		text += "  - " + to + "/" + part + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubectl(t, "", "kustomize", dir)
}

// furnish gives the cluster what every user's has: nodes in zones, a disk, the kinds of KEDA and of the Prometheus
// Operator; and the Secrets of deploy/README.md.
func furnish(t *testing.T) {
	t.Helper()
	for _, folder := range testenv.DeployTools(t).CRDs {
		kubectl(t, "", "apply", "--server-side", "-f", folder)
	}
	var b strings.Builder
	for i := range 3 {
		fmt.Fprintf(&b, `
apiVersion: v1
kind: Node
metadata:
  name: node-%d
  labels: {kubernetes.io/hostname: node-%d, topology.kubernetes.io/zone: zone-%d, kubernetes.io/os: linux, type: kwok}
  annotations: {kwok.x-k8s.io/node: fake}
status:
  allocatable: {cpu: "32", memory: 256Gi, pods: "110"}
  capacity: {cpu: "32", memory: 256Gi, pods: "110"}
---
`, i, i, i)
	}
	b.WriteString(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  capacity: {storage: 100Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  hostPath: {path: /data}
---
apiVersion: v1
kind: Namespace
metadata:
  name: postmaster
  labels: {pod-security.kubernetes.io/enforce: restricted}
`)
	for _, name := range []string{"postmaster-okq", "postmaster-mongo", "postmaster-sendgrid"} {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: postmaster}\nstringData: {password: x, addr: x, key: x}\n", name)
	}
	apply(t, b.String())
}
