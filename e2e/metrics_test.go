package e2e

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A family is a metric as docs/metrics.md and /metrics tell of it: its type, and the names of its labels.
type family struct{ kind, labels string }

func TestMetricsAreThoseOfTheDocs(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "--sqlite", filepath.Join(t.TempDir(), "postmaster.db"))
	hooks := process.Start(t, 2, "pm-hooks", "--okq-addr", s.okqd.Addr, "--ops-addr", "127.0.0.1:0", "--webhook-addr", "127.0.0.1:0",
		"--unsubscribe-url", "http://127.0.0.1/unsubscribe", "--unsubscribe-secret", strings.Repeat("s", 32))
	s.play()
	get(t, hooks.Addr, "/unsubscribe", http.StatusBadRequest) // counted all the same
	s.letLeaseExpire()
	told := map[string]map[string]family{
		"okqd": scrape(t, s.okqd), "pm-api": scrape(t, s.api), "pm-worker": scrape(t, s.worker), "pm-hooks": scrape(t, s.hooks),
	}
	maps.Copy(told["pm-hooks"], scrape(t, hooks))
	onRedis := process.Start(t, 2, "okqd", "--redis-addr", testenv.StartRedis(t).Addr, "--ops-addr", "127.0.0.1:0", "--listen-addr", "127.0.0.1:0")
	maps.Copy(told["okqd"], scrape(t, onRedis))
	documented := documentedMetrics(t)
	for program, families := range told {
		for _, name := range slices.Sorted(maps.Keys(families)) {
			if got, want := families[name], documented[program][name]; got != want {
				t.Errorf("%s tells of %s %v, docs/metrics.md of %v", program, name, got, want)
			}
		}
		for name := range documented[program] {
			if families[name] == (family{}) {
				t.Errorf("docs/metrics.md has %s, which %s does not tell of", name, program)
			}
		}
	}
}

// letLeaseExpire waits until okqd has counted a lease that ended.
func (s *system) letLeaseExpire() {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.okqd.Addr})
	defer client.Close()
	for _, command := range [][]any{{"QLPUSH", "left-alone", "1", "x"}, {"QRPOP", "left-alone", "EX", "1"}} {
		if err := client.Do(s.t.Context(), command...).Err(); err != nil {
			s.t.Fatalf("%v: %v", command, err)
		}
	}
	process.Eventually(s.t, 30*time.Second, "a lease ends", func() bool { return scrape(s.t, s.okqd)["okqd_expiries_total"].kind != "" })
}

func get(t *testing.T, addr, path string, want int) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Fatalf("%s%s: %d, %v", addr, path, resp.StatusCode, err)
	}
	return string(body)
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (\w+) (\w+)$`)
	seriesLine = regexp.MustCompile(`^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `)
	labelName  = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
)

// scrape returns what a process tells of itself, without what every Go program does.
func scrape(t *testing.T, p *process.Process) map[string]family {
	t.Helper()
	families := map[string]family{}
	for line := range strings.Lines(get(t, p.Ops, "/metrics", http.StatusOK)) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if !strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "process_") {
				families[m[1]] = family{kind: m[2]}
			}
			continue
		}
		m := seriesLine.FindStringSubmatch(line)
		if m == nil || families[m[1]].kind == "" {
			continue
		}
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		families[m[1]] = family{families[m[1]].kind, strings.Join(labels, " ")}
	}
	return families
}

var (
	metricRow = regexp.MustCompile("^\\| `(\\w+)` \\| (\\w+) \\| (.*?) \\|")
	word      = regexp.MustCompile("`(\\w+)`")
)

// documentedMetrics reads the tables of docs/metrics.md, one under the heading of each program.
func documentedMetrics(t *testing.T) map[string]map[string]family {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]map[string]family{}
	var program string
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			program, _, _ = strings.Cut(strings.TrimSpace(heading), " ")
			programs[program] = map[string]family{}
		}
		if m := metricRow.FindStringSubmatch(line); m != nil {
			var labels []string
			for _, w := range word.FindAllStringSubmatch(m[3], -1) {
				labels = append(labels, w[1])
			}
			slices.Sort(labels)
			programs[program][m[1]] = family{m[2], strings.Join(labels, " ")}
		}
	}
	return programs
}
