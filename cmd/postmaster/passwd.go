package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/terminal"
)

// passwdConfig is the flags of console passwd.
type passwdConfig struct{ file, role string }

func (c *passwdConfig) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.file, "console-users-file", "", "file of users to write to; made if it is missing")
	fs.StringVar(&c.role, "role", "", "operator or read-only; empty keeps the role of a user that is there, and is read-only for a new one")
}

func (c *passwdConfig) Validate() error {
	var errs []error
	if c.file == "" {
		errs = append(errs, errors.New("--console-users-file must be set"))
	}
	if c.role != "" && c.role != "operator" && c.role != "read-only" {
		errs = append(errs, fmt.Errorf("--role must be operator or read-only, not %q", c.role))
	}
	return errors.Join(errs...)
}

func passwdCommand() *cobra.Command {
	var cfg passwdConfig
	return cmdutil.Tool{
		Use: "passwd NAME", Short: "Set a user's password in the users file", Args: cobra.ExactArgs(1),
		Long: `Set the password of a user of the console in the file that --console-users-file names to the console. The password is asked
for on a terminal, and else is the first line of standard input. A console that runs sees the change within some seconds and logs the user out.`,
		Example: `  postmaster console passwd --console-users-file /etc/postmaster/users --role operator kim`, EnvPrefix: "POSTMASTER_", Config: &cfg,
		Run: func(cmd *cobra.Command, args []string, _ zerolog.Logger) error {
			password, err := readPassword(cmd)
			if err != nil {
				return err
			}
			if err := console.SetPassword(cfg.file, args[0], cfg.role, password); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s may log in with the new password\n", args[0])
			return err
		},
	}.Command()
}

// readPassword asks twice on a terminal, and reads a line of anything else.
func readPassword(cmd *cobra.Command) (string, error) {
	if !terminal.Is(cmd.InOrStdin()) {
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && (!errors.Is(err, io.EOF) || line == "") {
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	stdin := int(os.Stdin.Fd())
	var given [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(stdin)
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", err
		}
		given[i] = string(b)
	}
	if given[0] != given[1] {
		return "", errors.New("the two passwords differ")
	}
	return given[0], nil
}
