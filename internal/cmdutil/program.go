// Package cmdutil is what the mains share and nothing else: signals, flags from the environment, the logger, the ops
// endpoint, and the way a fault is told on stderr.
package cmdutil

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/terminal"
)

// Config is the flags of one program.
type Config interface {
	AddFlags(*pflag.FlagSet)
	Validate() error // joins all faults, each naming its flag
}

// Env is what a program is given to run in.
type Env struct {
	Log     zerolog.Logger
	Metrics *prometheus.Registry
	Ready   *Readiness
	Ops     *http.ServeMux // of the ops endpoint, for pages of the program's own
}

// A Program is a long-running command: its flags, and what it does until its context ends.
type Program struct {
	Name      string
	Short     string
	Long      string
	Version   string
	EnvPrefix string    // of the variables that set flags: "POSTMASTER_"
	OpsAddr   string    // default of --ops-addr
	Log       LogConfig // defaults of --log-level and --log-format; empty: info, json
	Config    Config
	Run       func(context.Context, Env) error

	// AnyOpsAddr returns whether the ops endpoint takes any free port unless --ops-addr is set; none: it does not.
	AnyOpsAddr func() bool

	// Tolerate returns the level to log at each start that a listener lacks a credential, given the flags that were set;
	// false, or none: the program refuses to start.
	Tolerate func(*pflag.FlagSet) (zerolog.Level, bool)
}

// Command makes the program a command. Its RunE returns once Run has, with the ops endpoint up all the while, so that
// /readyz can say "draining".
func (p Program) Command() *cobra.Command {
	ops := OpsConfig{Addr: p.OpsAddr}
	log := p.Log
	exposed := exposure{tolerate: p.Tolerate}
	flags := Union{p.Config, &ops, &log}
	cmd := &cobra.Command{
		Use: p.Name, Short: p.Short, Long: p.Long, Version: p.Version, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := BindEnv(p.EnvPrefix, cmd.Flags()); err != nil {
				return err
			}
			if err := flags.Validate(); err != nil {
				return err
			}
			if p.AnyOpsAddr != nil && p.AnyOpsAddr() && !cmd.Flags().Changed("ops-addr") {
				ops.Addr = "127.0.0.1:0"
			}
			logExposed, err := exposed.check(flags)
			if err != nil {
				return err
			}
			logger := NewLogger(cmd.ErrOrStderr(), p.Name, log)
			logExposed(logger)
			if unknown := unknownVariables(p.EnvPrefix, cmd.Flags()); len(unknown) > 0 {
				logger.Warn().Strs("variables", unknown).Msg("environment variables of no flag of this program")
			}
			env := Env{Log: logger, Metrics: NewRegistry(), Ready: &Readiness{}, Ops: http.NewServeMux()}
			env.Ready.starting.Store(true)
			err = RunWithOps(cmd.Context(), ops, env, p.Run)
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // stopped before it had begun
			}
			return err
		},
	}
	cmd.SetVersionTemplate(p.Name + " {{.Version}}\n")
	flags.AddFlags(cmd.Flags())
	exposed.AddFlags(cmd.Flags())
	refuseEmptySecrets(cmd.Flags())
	showVariables(p.EnvPrefix, cmd.Flags())
	return cmd
}

// Main runs cmd and returns the exit status: 0, 1, or 2 for a tool that was called wrongly. The first SIGINT or SIGTERM cancels the command's context; a second one
// kills the process, because catching them stops then.
func Main(cmd *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.AddCommand(manCommand())
	out := terminal.NewWriter(cmd.OutOrStdout()) // strangers' text is in what commands print
	cmd.SetOut(out)
	if err := errors.Join(cmd.ExecuteContext(ctx), out.Flush()); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", cmd.Name(), terminal.Escape(oneLine(err)))
		if errors.As(err, new(usageError)) {
			return 2
		}
		return 1
	}
	return 0
}

// oneLine tells joined errors in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
