package cmdutil_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/listen"
)

func TestAToolEndsWithTwoIfItWasCalledWrongly(t *testing.T) {
	for _, c := range []struct {
		args []string
		fail error
		want int
	}{
		{[]string{"do", "x"}, nil, 0},
		{[]string{"do", "x"}, errors.New("it is away"), 1},
		{[]string{"do"}, nil, 2},
		{[]string{"do", "x", "--nope"}, nil, 2},
		{[]string{"do", "x", "--concurrency", "many"}, nil, 2},
		{[]string{"do", "x", "--concurrency", "0"}, nil, 2},
		{[]string{"do", "x", "--sendgrid-key", ""}, nil, 2},
		{[]string{"nope"}, nil, 2},
	} {
		tool := cmdutil.Tool{
			Use: "do X", Args: cobra.ExactArgs(1), EnvPrefix: "PMTEST_", Config: &sample{},
			Run: func(*cobra.Command, []string, zerolog.Logger) error { return c.fail },
		}.Command()
		root := &cobra.Command{Use: "postmaster"}
		root.AddCommand(cmdutil.Group("tools", "", tool))
		var out bytes.Buffer
		root.SetErr(&out)
		root.SetOut(&out)
		root.SetArgs(append([]string{"tools"}, c.args...))
		if got := cmdutil.Main(root); got != c.want {
			t.Errorf("%v, %v: exit %d, want %d: %s", c.args, c.fail, got, c.want, out.String())
		}
	}
}

func TestHelpNamesVariablesAndUnknownOnesAreWarnedOf(t *testing.T) {
	if _, out, _ := run(t, &sample{}, "--help"); !strings.Contains(out, "[PMTEST_SENDGRID_KEY]") {
		t.Errorf("help: %s", out)
	}
	t.Setenv("PMTEST_SENDGRID_KEYS", "typo")
	t.Setenv("PMTEST_PORT_4777_TCP_ADDR", "10.0.0.1") // Kubernetes makes it of a Service
	t.Setenv("PMTEST_LOG_LEVEL", "warn")
	status, out, ran := run(t, &sample{})
	if status != 0 || !ran || !strings.Contains(out, `"variables":["PMTEST_SENDGRID_KEYS"]`) {
		t.Errorf("exit %d, ran %v, log %s", status, ran, out)
	}
}

// open is a Config whose program listens for everybody.
type open struct{ sample }

func (*open) Listeners() []listen.Listener {
	return []listen.Listener{{Flag: "--listen-addr", Addr: ":80", Needs: "--api-token"}}
}

func TestAnOpenListenerIsRefusedToleratedOrAllowed(t *testing.T) {
	tolerate := func(fs *pflag.FlagSet) (zerolog.Level, bool) { return zerolog.ErrorLevel, !fs.Changed("concurrency") }
	for _, c := range []struct {
		args     []string
		tolerate func(*pflag.FlagSet) (zerolog.Level, bool)
		status   int
		says     string
	}{
		{nil, nil, 1, "--listen-addr: other machines can reach :80 without a credential: set --api-token"},
		{[]string{"--insecure"}, nil, 0, "--insecure is set"},
		{nil, tolerate, 0, `"level":"error"`},
		{[]string{"--concurrency", "2"}, tolerate, 1, "--listen-addr: "},
	} {
		cmd := cmdutil.Program{
			Name: "pm-test", EnvPrefix: "PMTEST_", OpsAddr: "127.0.0.1:0", Config: &open{}, Tolerate: c.tolerate,
			Run: func(context.Context, cmdutil.Env) error { return nil },
		}.Command()
		var out bytes.Buffer
		cmd.SetErr(&out)
		cmd.SetArgs(c.args)
		if status := cmdutil.Main(cmd); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%v: exit %d, %s; want %d and %q", c.args, status, out.String(), c.status, c.says)
		}
	}
}
