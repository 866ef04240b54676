package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/testenv"
)

// axeCore is the script of axe-core, read once.
var axeCore = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	path, err := exec.Command(filepath.Join(filepath.Dir(here), "../../../scripts/axe-core")).Output()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(strings.TrimSpace(string(path)))
	return string(script), err
})

// A violation is a rule of axe-core that a page breaks.
type violation struct {
	ID, Impact, Help string
	Where            []string
}

// Accessible wants axe-core to find nothing serious or critical on the page.
func Accessible(t *testing.T, tab context.Context, page string) {
	t.Helper()
	for _, v := range violations(t, tab) {
		if v.Impact == "serious" || v.Impact == "critical" {
			t.Errorf("%s: %s (%s, %s): %s", page, v.Help, v.ID, v.Impact, strings.Join(v.Where, "; "))
		}
	}
}

// violations are all that axe-core finds.
func violations(t *testing.T, tab context.Context) []violation {
	t.Helper()
	testenv.Program(t, "npm")
	script, err := axeCore()
	if err != nil {
		t.Fatalf("scripts/axe-core: %v", err)
	}
	Ask(t, tab, chromedp.Evaluate[bool](script+"; true"))
	return Ask(t, tab, chromedp.Evaluate[[]violation](`axe.run().then(r => r.violations.map(v =>
		({ID: v.id, Impact: v.impact, Help: v.help, Where: v.nodes.map(n => n.target.join(" ") + ": " + n.failureSummary)})))`, chromedp.EvalAwaitPromise))
}
