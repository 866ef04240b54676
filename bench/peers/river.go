package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverMail is the arguments of a job.
type riverMail struct{ Mail json.RawMessage }

// Kind implements river.JobArgs.
func (riverMail) Kind() string { return mailTask }

// playRiver is one of river's two processes.
func playRiver(role string, ln net.Listener, postgres, post string) error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, postgres)
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	quiet := slog.New(slog.DiscardHandler)
	if role == roleWorker {
		send := poster(post)
		workers := river.NewWorkers()
		river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, j *river.Job[riverMail]) error { return send(ctx, j.Args.Mail) }))
		client, err := river.NewClient(driver, &river.Config{
			Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: inFlight}}, Workers: workers, Logger: quiet,
		})
		if err != nil {
			return err
		}
		if err := client.Start(ctx); err != nil {
			return err
		}
		announce(ln)
		select {} // until it is told to end
	}
	client, err := river.NewClient(driver, &river.Config{Logger: quiet})
	if err != nil {
		return err
	}
	announce(ln)
	return http.Serve(ln, acceptor(func(ctx context.Context, mail []byte) error {
		_, err := client.Insert(ctx, riverMail{mail}, nil)
		return err
	}))
}

// newRiverDatabase makes one with river's tables.
func newRiverDatabase(ctx context.Context, server, name string) (string, error) {
	admin, err := pgxpool.New(ctx, server)
	if err != nil {
		return "", err
	}
	defer admin.Close()
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	pool, err := pgxpool.New(ctx, u.String())
	if err != nil {
		return "", err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return "", err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return u.String(), err
}
