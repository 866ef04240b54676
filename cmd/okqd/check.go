package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/okqd/journal"
	"github.com/levenlabs/postmaster/internal/okqd/local"
)

// noFlags is the Config of a tool without flags of its own.
type noFlags struct{}

func (noFlags) AddFlags(*pflag.FlagSet) {}

func (noFlags) Validate() error { return nil }

func checkCommand() *cobra.Command {
	return cmdutil.Tool{
		Use: "check DIR", Short: "Report whether a data directory is whole", Args: cobra.ExactArgs(1), EnvPrefix: "OKQ_",
		Long: `Read all of a data directory that no okqd has open, and report what is whole and what is damaged. Nothing in it is
changed. The exit status is 1 if okqd would not start with it.`,
		Config: noFlags{},
		Run: func(cmd *cobra.Command, args []string, _ zerolog.Logger) error {
			return check(cmd.OutOrStdout(), args[0])
		},
	}.Command()
}

func check(w io.Writer, dir string) error {
	salvage, err := local.OpenSalvage(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	printParts(w, salvage.Parts)
	damaged := salvage.Damaged()
	if err := salvage.Close(); err != nil {
		return err
	}
	events, err := local.Check(dir)
	if err != nil {
		return fmt.Errorf("%w; okqd does not start with it, `okqd salvage` exports what can be read", err)
	}
	if damaged {
		return fmt.Errorf("%s is damaged; okqd starts with it", dir)
	}
	total := 0
	for _, queue := range slices.Sorted(maps.Keys(events)) {
		fmt.Fprintf(w, "queue %q: %d events\n", queue, events[queue])
		total += events[queue]
	}
	fmt.Fprintf(w, "%s is whole: %d events in %d queues\n", dir, total, len(events))
	return nil
}

func printParts(w io.Writer, parts []journal.Part) {
	for _, p := range parts {
		how := "whole"
		if p.Damaged != "" {
			how = "DAMAGED: " + p.Damaged
		}
		fmt.Fprintf(w, "%s, bytes %d to %d: %s\n", p.Name, p.Offset, p.Offset+p.Size, how)
	}
}
