package deploy

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	documented = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\|")
	metricName = regexp.MustCompile(`\b(?:pm|okqd|process|go)_[a-z_]+\b`)
)

// metricNames returns what docs/metrics.md lists, which the tests of e2e compare with what the processes tell.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"process_resident_memory_bytes": true, "process_cpu_seconds_total": true}
	for _, m := range documented.FindAllStringSubmatch(string(text), -1) {
		names[m[1]] = true
		if m[2] == "histogram" {
			names[m[1]+"_bucket"], names[m[1]+"_sum"], names[m[1]+"_count"] = true, true, true
		}
	}
	return names
}

func TestAlertsAndAutoscalersAskForMetricsThatExist(t *testing.T) {
	exists := metricNames(t)
	for _, r := range rules(t, t.TempDir()) {
		asks(t, exists, r.Alert, r.Expr)
	}
	adapter, err := os.ReadFile("components/hpa/adapter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	exists["okqd_queue_backlog"] = true // made by the adapter
	asks(t, exists, "adapter.yaml", string(adapter))
}

func asks(t *testing.T, exists map[string]bool, who, text string) {
	t.Helper()
	names := metricName.FindAllString(text, -1)
	if len(names) == 0 {
		t.Errorf("%s asks for no metric: %s", who, text)
	}
	for _, name := range names {
		if !exists[name] {
			t.Errorf("%s asks for %s, which docs/metrics.md does not list", who, name)
		}
	}
}

// A dashboard is what is looked at of Grafana's JSON.
type dashboard struct {
	UID    string
	Panels []struct {
		Title   string
		Type    string
		Targets []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDashboardShowsMetricsThatExist(t *testing.T) {
	exists := metricNames(t)
	d := readDashboard(t)
	if d.UID == "" || len(d.Panels) < 10 {
		t.Fatalf("a dashboard of %d panels", len(d.Panels))
	}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			asks(t, exists, p.Title, target.Expr)
			if !strings.Contains(target.Expr, `namespace=~"$namespace"`) {
				t.Errorf("%q mixes namespaces: %s", p.Title, target.Expr)
			}
		}
	}
}
