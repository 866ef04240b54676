package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/levenlabs/postmaster/"

// layers tells how near to the wire a package is: a package imports only what is in a lower layer.
var layers = map[string]int{"cmd": 4, "internal": 3, "pkg/prefs": 2, "pkg/stats": 2, "pkg/okq": 2, "pkg/client": 2, "pkg/idempotency": 2, "pkg/heartbeat": 2, "pkg/job": 1, "pkg/database": 1}

// home tells which packages may import a driver; nobody else sees its types.
var home = map[string][]string{
	"go.mongodb.org/mongo-driver":     {"pkg/database", "pkg/prefs", "pkg/stats", "pkg/idempotency", "pkg/heartbeat", "internal/store", "internal/testenv"},
	"github.com/sendgrid/":            {"internal/sendgrid"},
	"github.com/redis/rueidis":        {"pkg/okq", "internal/okqd/redis"},
	"modernc.org/sqlite":              {"pkg/database", "pkg/prefs", "pkg/stats", "pkg/idempotency", "pkg/heartbeat", "internal/store"},
	"github.com/spf13/cobra":          {"cmd", "internal/cmdutil", "internal/operator"},
	"github.com/prometheus/client_go": {"cmd", "internal"},
}

// goList returns the imports of each of the module's packages, both without the module's name in front.
func goList(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(strings.ReplaceAll(line, module, ""))
		imports[words[0]] = words[1:]
	}
	return imports
}

func TestImportsPointOneWay(t *testing.T) {
	imports := goList(t)
	for pkg, imported := range imports {
		for _, other := range imported {
			if imports[other] != nil && layer(other) > layer(pkg) {
				t.Errorf("%s imports %s, which is above it", pkg, other)
			}
		}
	}
}

func TestTheThreeProcessesDoNotImportEachOther(t *testing.T) {
	parts := []string{"internal/api", "internal/worker", "internal/hooks", "internal/okqd"}
	for pkg, imported := range goList(t) {
		for _, other := range imported {
			if from, to := within(pkg, parts), within(other, parts); from != "" && to != "" && from != to {
				t.Errorf("%s imports %s", pkg, other)
			}
		}
	}
}

func TestDriversStayHome(t *testing.T) {
	for pkg, imported := range goList(t) {
		for _, other := range imported {
			for driver, homes := range home {
				if strings.HasPrefix(other, driver) && within(pkg, homes) == "" {
					t.Errorf("%s imports %s, whose home is %v", pkg, other, homes)
				}
			}
		}
	}
}

func layer(pkg string) int {
	for prefix, n := range layers {
		if within(pkg, []string{prefix}) != "" {
			return n
		}
	}
	return 5
}

// within returns the folder among folders that pkg is in, or "".
func within(pkg string, folders []string) string {
	for _, f := range folders {
		if pkg == f || strings.HasPrefix(pkg, f+"/") {
			return f
		}
	}
	return ""
}
