package main

import (
	"bytes"
	"context"
	"io"
	"strings"
)

// run runs postmaster and returns what it printed.
func run(ctx context.Context, args ...string) (string, error) {
	return runWith(ctx, strings.NewReader(""), args...)
}

// runWith does so with somebody at the terminal.
func runWith(ctx context.Context, typed io.Reader, args ...string) (string, error) {
	cmd := newCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(typed)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}
