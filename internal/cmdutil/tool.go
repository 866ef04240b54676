package cmdutil

import (
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// A Tool is a command that does one thing and ends.
type Tool struct {
	Use       string // name and arguments: "replay DIR"
	Short     string
	Long      string
	Example   string
	Args      cobra.PositionalArgs
	EnvPrefix string // of the variables that set flags
	Config    Config
	Run       func(cmd *cobra.Command, args []string, log zerolog.Logger) error
}

// Command makes the tool a command. It logs what goes wrong, for people.
func (t Tool) Command() *cobra.Command {
	log := LogConfig{Level: "warn", Format: "console"}
	cmd := &cobra.Command{
		Use: t.Use, Short: t.Short, Long: t.Long, Example: t.Example, Args: t.Args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := BindEnv(t.EnvPrefix, cmd.Flags()); err != nil {
				return usageError{err}
			}
			if err := errors.Join(t.Config.Validate(), log.Validate()); err != nil {
				return usageError{err}
			}
			return t.Run(cmd, args, NewLogger(cmd.ErrOrStderr(), cmd.Root().Name(), log))
		},
	}
	t.Config.AddFlags(cmd.Flags())
	log.AddFlags(cmd.Flags())
	refuseEmptySecrets(cmd.Flags())
	showVariables(t.EnvPrefix, cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	if t.Args != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := t.Args(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	return cmd
}

// A usageError is about how a tool was called: exit status 2. Its other errors are of what it was to do: 1.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Group is a command of commands. Alone it shows its help.
func Group(name, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
		}
		return cmd.Help()
	}}
	group.AddCommand(commands...)
	return group
}
