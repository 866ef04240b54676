package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
)

// A prometheus is a real server that scrapes the pods of a cluster every second.
type prometheus struct {
	t    *testing.T
	addr string
}

func startPrometheus(t *testing.T, tools testenv.Deploy, c *cluster, rules string, more ...*process.Process) *prometheus {
	t.Helper()
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 1s, evaluation_interval: 1s}\nscrape_configs:\n  - job_name: pods\n    static_configs:\n")
	for name, k := range c.kubelets {
		for i, p := range k.pods {
			fmt.Fprintf(&config, "      - {targets: [%q], labels: {namespace: postmaster, pod: %q, container: %q}}\n", p.Ops, fmt.Sprint(name, "-", i), k.program.Name)
		}
	}
	for i, p := range more {
		fmt.Fprintf(&config, "      - {targets: [%q], labels: {namespace: more-%d, pod: %q}}\n", p.Ops, i, p.Name)
	}
	if rules != "" {
		fmt.Fprintf(&config, "rule_files: [%q]\n", rules)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t, testenv.FreeAddr(t)}
	cmd := exec.Command(tools.Prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	return p
}

// scraped waits until every pod has been, so that what happens next is an increase.
func (p *prometheus) scraped() {
	p.t.Helper()
	process.Eventually(p.t, 30*time.Second, "every pod is scraped", func() bool {
		down, err := p.series("up == 0")
		up, _ := p.series("up == 1")
		return err == nil && down == 0 && up > 0
	})
	time.Sleep(2 * time.Second)
}

// series is how many an expression returns, those that are no number left out.
func (p *prometheus) series(expr string) (int, error) {
	resp, err := http.Get("http://" + p.addr + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != "" {
		return 0, fmt.Errorf("%w%s", err, answer.Error)
	}
	n := 0
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" {
			n++
		}
	}
	return n, nil
}

// TestHeavyDashboardShowsData runs every process, has mails fare in every way, and asks a real Prometheus each question of
// the dashboard: each returns series.
func TestHeavyDashboardShowsData(t *testing.T) {
	testenv.Heavy(t)
	tools := testenv.DeployTools(t)
	c := startCluster(t, tools)
	p := startPrometheus(t, tools, c, "")
	panels := dashboardExprs(t)
	var silent []string
	begin := time.Now()
	for turn := 0; ; turn++ {
		c.enqueueSome(turn)
		silent = nil
		for _, expr := range panels {
			n, err := p.series(strings.ReplaceAll(expr, "$namespace", ".*"))
			if err != nil || n == 0 {
				silent = append(silent, fmt.Sprintf("%s: %v", expr, err))
			}
		}
		if len(silent) == 0 || time.Since(begin) > 2*time.Minute {
			break
		}
	}
	if len(silent) > 0 {
		t.Errorf("nothing is returned by\n%s", strings.Join(silent, "\n"))
	}
	t.Logf("%d questions returned series after %v", len(panels)-len(silent), time.Since(begin).Round(time.Second))
}

// enqueueSome has mails fare well and badly, and calls fail.
func (c *cluster) enqueueSome(turn int) {
	c.t.Helper()
	api := client.New(c.api)
	for _, to := range []string{"alex", "spam", "bounce", "reject400", "acceptreset", "limit429+x1", "fail503+x1"} {
		mail := &job.Email{To: to + "@example.com", From: "shop@example.org", Subject: "Hello", Text: "It works.", UniqueID: fmt.Sprint(turn)}
		api.Enqueue(c.t.Context(), mail) //nolint:errcheck // a fault of this test's
	}
	api.Enqueue(c.t.Context(), &job.Email{To: "nobody"}) //nolint:errcheck // it is refused
	time.Sleep(500 * time.Millisecond)
}

// dashboardExprs are the questions of the dashboard's panels.
func dashboardExprs(t *testing.T) (exprs []string) {
	t.Helper()
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			if !slices.Contains(exprs, target.Expr) {
				exprs = append(exprs, target.Expr)
			}
		}
	}
	return exprs
}
