package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// newYear is when everything in the page's world happened.
var newYear = time.Unix(1767225600, 0)

// world has what the pages show: a mail that waits and three that died, of one of which an event came later.
func world(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	okqd := okqdtest.RunT(t)
	db := filepath.Join(t.TempDir(), "postmaster.db")
	t.Setenv("POSTMASTER_OKQ_ADDR", okqd.Addr)
	t.Setenv("POSTMASTER_SQLITE", db)
	client, err := okq.New(okq.Options{Addrs: []string{okqd.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	stores, err := store.Open(ctx, store.Config{SQLite: db}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer stores.Close()

	const rejection = "400 subject: is required"
	err = errors.Join(
		client.Push(ctx, event(t, mail("6920d5c40000000000000009", "dan@example.com"))),
		died(ctx, t, client, stores.Stats, mail("6920d5c40000000000000001", "ann@example.com"), job.DeadLetter{
			Reason: job.ReasonRejected, Detail: rejection,
			Errors: []job.ProviderError{{Status: 400, Field: "subject", Message: "is required"}},
		}),
		died(ctx, t, client, stores.Stats, mail("6920d5c40000000000000002", "bob@example.com"),
			job.DeadLetter{Reason: job.ReasonUnknown, Detail: "timeout"}),
		died(ctx, t, client, stores.Stats, mail("6920d5c40000000000000003", "cat@example.com"),
			job.DeadLetter{Reason: job.ReasonUnknown, Detail: "timeout"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	delivered := job.Event{Type: job.EventDelivered, StatsID: "6920d5c40000000000000003", At: newYear.Add(5 * time.Minute)}
	if _, err := stores.Stats.Fold(ctx, []job.Event{delivered}); err != nil {
		t.Fatal(err)
	}
}

func mail(id job.ID, to string) *job.Email {
	return &job.Email{ID: id, To: to, From: "shop@example.org", Subject: "Hello", Text: "It works.", Flags: 4}
}

func event(t *testing.T, e *job.Email) okq.Event {
	t.Helper()
	contents, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return okq.Event{Queue: e.Queue(), ID: string(e.ID), Contents: contents}
}

// died has a mail dead in its queue and in the ledger.
func died(ctx context.Context, t *testing.T, client *okq.Client, records stats.Store, e *job.Email, letter job.DeadLetter) error {
	t.Helper()
	letter.ID, letter.Queue, letter.Attempts, letter.Deliveries = string(e.ID), e.Queue(), 1, 1
	letter.FirstAttempt, letter.Died = newYear.Unix(), newYear.Unix()
	letter.SetContents(event(t, e).Contents)
	contents, err := letter.Encode()
	if err != nil {
		return err
	}
	subject := stats.Subject{ID: e.ID, Recipient: e.To, EmailFlags: e.Flags, Env: "production", Created: newYear}
	if _, err := records.Begin(ctx, []stats.Attempt{{Subject: subject, Number: 1, Token: "t", At: newYear}}); err != nil {
		return err
	}
	return errors.Join(
		records.Settle(ctx, []stats.Settlement{{Subject: subject, Number: 1, State: stats.Dead, Reason: letter.Detail, At: newYear}}),
		client.Push(ctx, okq.Event{Queue: job.QueueEmailDead, ID: letter.ID, Contents: contents}))
}

var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestOperatingPages executes docs/operating.md, and the page of the dead letters.
func TestOperatingPages(t *testing.T) {
	for page, least := range map[string]int{"operating.md": 11, "tasks/dead-letters.md": 7} {
		t.Run(page, func(t *testing.T) {
			world(t)
			text, err := os.ReadFile("../../docs/" + page)
			if err != nil {
				t.Fatal(err)
			}
			commands := 0
			for _, block := range consoleBlock.FindAllStringSubmatch(string(text), -1) {
				for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
					commands++
					line, want, _ := strings.Cut(step, "\n")
					follow(t, line, strings.TrimSpace(want))
				}
			}
			if commands < least {
				t.Errorf("only %d commands are on the page", commands)
			}
		})
	}
}

// follow runs one command of the page. Columns are as wide as they are, and "…" is anything.
func follow(t *testing.T, line, want string) {
	t.Helper()
	args := words.FindAllString(line, -1)
	if args[0] != "postmaster" {
		t.Fatalf("%s is no command of ours", line)
	}
	for i := range args {
		args[i] = strings.Trim(args[i], `"`)
	}
	out, err := run(t.Context(), args[1:]...)
	if err != nil {
		out += "error: " + err.Error()
	}
	pattern := "(?s)^" + strings.ReplaceAll(spaces.ReplaceAllString(regexp.QuoteMeta(want), " +"), "…", ".*") + "$"
	if !regexp.MustCompile(pattern).MatchString(strings.TrimSpace(out)) {
		t.Errorf("%s\nprinted:\n%s\nthe page says:\n%s", line, out, want)
	}
}

var words = regexp.MustCompile(`"[^"]*"|\S+`)

var spaces = regexp.MustCompile(" +")
