package operator

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// completion is how long a shell may be kept waiting, and with how much it is answered.
const (
	completionTime = 2 * time.Second
	completionSize = 50
)

type completeFunc = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// fixed completes from a list.
func fixed(words ...string) completeFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// ask completes with what okq says; when it says nothing, with nothing.
func ask(cfg *queue.Config, what func(context.Context, *okq.Client) []string) completeFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (words []string, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		if cmdutil.BindEnv(envPrefix, cmd.Flags()) == nil && cfg.Validate() == nil {
			//nolint:errcheck // there is nobody to tell
			withQueue(cfg, zerolog.Nop(), func(client *okq.Client) error { words = what(ctx, client); return nil })
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// queueNames are those of queues that can be paused and that have something.
func queueNames(ctx context.Context, client *okq.Client) []string {
	statuses, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range statuses {
		if job.HoldsWork(s.Queue) {
			names = append(names, s.Queue)
		}
	}
	return names
}

// letterIDs are some ids of a dead queue.
func letterIDs(deadQueue *string) func(context.Context, *okq.Client) []string {
	return func(ctx context.Context, client *okq.Client) []string {
		var ids []string
		for id, err := range client.Scan(ctx, *deadQueue) {
			if ids = append(ids, id); err != nil || len(ids) == completionSize {
				break
			}
		}
		return ids
	}
}
