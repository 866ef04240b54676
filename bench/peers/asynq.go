package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/hibiken/asynq"
)

// mailTask is the type of the tasks.
const mailTask = "mail"

// playAsynq is one of asynq's two processes.
func playAsynq(role string, ln net.Listener, redis, post string) error {
	connection := asynq.RedisClientOpt{Addr: redis}
	if role == roleWorker {
		server := asynq.NewServer(connection, asynq.Config{Concurrency: inFlight, LogLevel: asynq.WarnLevel})
		send := poster(post)
		announce(ln)
		return server.Run(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error { return send(ctx, task.Payload()) }))
	}
	client := asynq.NewClient(connection)
	announce(ln)
	return http.Serve(ln, acceptor(func(ctx context.Context, mail []byte) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask(mailTask, mail), asynq.Retention(time.Hour))
		return err
	}))
}
