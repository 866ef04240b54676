package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/levenlabs/postmaster/internal/testenv"
)

const monitoring = "components/monitoring/"

// A rule is an alert.
type rule struct{ Alert, Expr string }

// rules returns the alerts, and writes them to dir as a rule file of a plain Prometheus beside their unit tests.
func rules(t *testing.T, dir string) []rule {
	t.Helper()
	text, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Spec yaml.Node }
	var spec struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	plain, err := yaml.Marshal(&manifest.Spec)
	if err == nil {
		err = manifest.Spec.Decode(&spec)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "rules.yaml"), plain, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range spec.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestAlertsFireForFaultsAndForNothingElse(t *testing.T) {
	tools := testenv.DeployTools(t)
	dir := t.TempDir()
	alerts := rules(t, dir)
	tests, err := os.ReadFile(monitoring + "alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts_test.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command(tools.Promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	var file struct{ Tests []struct{ Name string } }
	if err := yaml.Unmarshal(tests, &file); err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, test := range file.Tests {
		tested[test.Name] = true
	}
	for _, a := range alerts {
		if !tested[a.Alert] || !tested[a.Alert+", healthy"] {
			t.Errorf("alerts_test.yaml does not test %s for a fault and for health", a.Alert)
		}
	}
}
