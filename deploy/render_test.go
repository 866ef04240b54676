package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/levenlabs/postmaster/internal/testenv"
)

// An object is one rendered manifest.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec yaml.Node
	Data map[string]string
}

func (o *object) String() string { return o.Kind + "/" + o.Metadata.Name }

// spec decodes the object's spec.
func (o *object) spec(t *testing.T, into any) {
	t.Helper()
	if err := o.Spec.Decode(into); err != nil {
		t.Fatalf("%v: %v", o, err)
	}
}

// variants names each thing that somebody may apply: the base, the base with one component, all that go together, and
// the overlays.
func variants(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{
		"base":                              {"base"},
		"base+redis+ingress+monitoring+hpa": {"base", "components/redis", "components/ingress", "components/monitoring", "components/hpa"},
	}
	for _, kind := range []string{"components", "overlays"} {
		dirs, err := filepath.Glob(kind + "/*/kustomization.yaml")
		if err != nil || len(dirs) == 0 {
			t.Fatalf("no %s: %v", kind, err)
		}
		for _, file := range dirs {
			dir := filepath.Dir(file)
			if kind == "overlays" {
				list[dir] = []string{dir}
				continue
			}
			list["base+"+filepath.Base(dir)] = []string{"base", dir}
		}
	}
	return list
}

var rendered sync.Map // of variants, by name: each is rendered once

// render returns what kustomize makes of a variant, as it is and decoded.
func render(t *testing.T, tools testenv.Deploy, name string, parts []string) ([]byte, []*object) {
	t.Helper()
	text, ok := rendered.Load(name)
	if !ok {
		text = kustomize(t, tools, parts)
		rendered.Store(name, text)
	}
	return text.([]byte), decode(t, text.([]byte))
}

func kustomize(t *testing.T, tools testenv.Deploy, parts []string) []byte {
	t.Helper()
	dir := parts[0]
	if len(parts) > 1 {
		dir = combine(t, parts)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(tools.Kustomize, "build", dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 { // a warning tells of what the next version refuses
		t.Fatalf("kustomize build %v: %v\n%s", parts, err, stderr.String())
	}
	return out
}

// combine writes a kustomization of the base and components.
func combine(t *testing.T, parts []string) string {
	t.Helper()
	dir := t.TempDir()
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: postmaster\n"
	for i, part := range parts {
		abs, err := filepath.Abs(part)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(dir, abs)
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			text += "resources:\n"
		case 1:
			text += "components:\n"
		}
		text += fmt.Sprintf("  - %s\n", rel)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func decode(t *testing.T, text []byte) []*object {
	t.Helper()
	var objects []*object
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, &o)
	}
}

// eachVariant runs a test on everything that can be applied.
func eachVariant(t *testing.T, test func(t *testing.T, text []byte, objects []*object)) {
	t.Helper()
	tools := testenv.DeployTools(t)
	for name, parts := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, objects := render(t, tools, name, parts)
			test(t, text, objects)
		})
	}
}
