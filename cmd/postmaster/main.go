// Command postmaster is all of postmaster in one process, and the operator's tools.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/operator"
)

var version string // set with -ldflags "-X main.version=…"

// opsAddr is the default of --ops-addr of the commands that run on.
const opsAddr = "127.0.0.1:9990"

func main() { os.Exit(cmdutil.Main(newCommand())) }

// newCommand is separate from main so that tests can run the whole program.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "postmaster",
		Short: "Queue email between your services and SendGrid",
		Long: `postmaster queues email between your services and SendGrid.

  postmaster demo     see it work: a fake SendGrid, an inbox page, no account needed
  postmaster serve    run all of it in one process, with SendGrid's key
  postmaster console  see the queues and mails of a system that runs elsewhere
  postmaster sandbox  run the fake SendGrid alone, for tests of your own

For those who run it: dead, queue, email and prefs (docs/operating.md), hooks and stats (docs/webhook.md).`,
		Version: cmdutil.Version(version),
	}
	root.SetVersionTemplate("postmaster {{.Version}}\n")
	root.AddCommand(serveCommand(), demoCommand(), consoleCommand(), sandboxCommand(), hooksCommand(), statsCommand())
	root.AddCommand(operator.Commands()...)
	return root
}
