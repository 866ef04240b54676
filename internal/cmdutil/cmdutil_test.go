package cmdutil_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
)

// sample is the smallest Config: two flags, one of which can be wrong.
type sample struct {
	key   string
	count int
}

func (s *sample) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&s.key, "sendgrid-key", "none", "")
	fs.IntVar(&s.count, "concurrency", 1, "")
}

func (s *sample) Validate() error {
	if s.count < 1 {
		return errors.New("--concurrency must be at least 1")
	}
	return nil
}

// run executes a program with args and returns its exit status and stderr, and whether it ran.
func run(t *testing.T, cfg *sample, args ...string) (status int, stderr string, ran bool) {
	t.Helper()
	cmd := cmdutil.Program{
		Name: "pm-test", Version: "1.2.3", EnvPrefix: "PMTEST_", OpsAddr: "127.0.0.1:0", Config: cfg,
		Run: func(context.Context, cmdutil.Env) error { ran = true; return nil },
	}.Command()
	var out bytes.Buffer
	cmd.SetErr(&out)
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	status = cmdutil.Main(cmd)
	return status, out.String(), ran
}

func TestFlagBeatsVariableBeatsFileBeatsDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, variable, file string
		args                 []string
		want                 string
	}{
		{name: "default", want: "none"},
		{name: "file", file: file, want: "from-file"},
		{name: "variable", variable: "from-env", file: file, want: "from-env"},
		{name: "flag", variable: "from-env", file: file, args: []string{"--sendgrid-key", "from-flag"}, want: "from-flag"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv("PMTEST_SENDGRID_KEY", c.variable)
			}
			if c.file != "" {
				t.Setenv("PMTEST_SENDGRID_KEY_FILE", c.file)
			}
			t.Setenv("PMTEST_VERSION", "someone else's")
			var cfg sample
			if status, stderr, _ := run(t, &cfg, c.args...); status != 0 {
				t.Fatalf("exit %d: %s", status, stderr)
			}
			if cfg.key != c.want {
				t.Errorf("got %q, want %q", cfg.key, c.want)
			}
		})
	}
}

func TestAWrongSettingIsOneLineThatNamesItAndStartsNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	cases := []struct {
		name  string
		env   map[string]string
		args  []string
		names string
	}{
		{name: "unknown flag", args: []string{"--nope"}, names: "--nope"},
		{name: "unparsable value", args: []string{"--concurrency", "many"}, names: "--concurrency"},
		{name: "value out of bounds", args: []string{"--concurrency", "0"}, names: "--concurrency"},
		{name: "unparsable variable", env: map[string]string{"PMTEST_CONCURRENCY": "many"}, names: "PMTEST_CONCURRENCY (--concurrency)"},
		{name: "missing file", env: map[string]string{"PMTEST_SENDGRID_KEY_FILE": "/nonexistent"}, names: "PMTEST_SENDGRID_KEY_FILE"},
		{name: "log level", args: []string{"--log-level", "loud"}, names: "--log-level"},
		{name: "argument", args: []string{"extra"}, names: "extra"},
		{name: "busy port", args: []string{"--ops-addr", busy.Addr().String()}, names: "--ops-addr"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			status, stderr, ran := run(t, &sample{}, c.args...)
			if status != 1 || ran {
				t.Errorf("exit %d, ran %v; want 1 and not run", status, ran)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.names) {
				t.Errorf("stderr %q; want one line with %q", stderr, c.names)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if _, out, _ := run(t, &sample{}, "--version"); out != "pm-test 1.2.3\n" {
		t.Errorf("got %q", out)
	}
}

func TestUnionSetsAFlagOfSeveralPartsInAll(t *testing.T) {
	var a, b sample
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	u := cmdutil.Union{&a, &b}
	u.AddFlags(fs)
	if err := fs.Parse([]string{"--concurrency=0", "--sendgrid-key", "k"}); err != nil {
		t.Fatal(err)
	}
	if a != b || a.key != "k" {
		t.Errorf("got %+v and %+v", a, b)
	}
	if err := u.Validate(); err == nil || err.Error() != "--concurrency must be at least 1" {
		t.Errorf("got %v; want the fault once", err)
	}
}

func TestReadyzTellsEachReason(t *testing.T) {
	var r cmdutil.Readiness
	get := func() (int, string) {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code, w.Body.String()
	}
	r.Add("store", func(context.Context) error { return nil })
	if code, body := get(); code != 200 {
		t.Errorf("got %d %q", code, body)
	}
	r.Add("okq", func(context.Context) error { return errors.New("connection refused") })
	if code, body := get(); code != 503 || body != "okq: connection refused\n" {
		t.Errorf("got %d %q", code, body)
	}
}
