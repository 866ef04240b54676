// Package sandboxtest runs a sandbox for the length of a test.
package sandboxtest

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

// Option changes the configuration RunT starts from: a free port on loopback,
// a fixed seed, no webhook, and events within some milliseconds.
type Option func(*sandbox.Config)

// WebhookURL is where events are posted.
func WebhookURL(url string) Option { return func(c *sandbox.Config) { c.WebhookURL = url } }

// Key is the one API key that is good.
func Key(key string) Option { return func(c *sandbox.Config) { c.Key = key } }

// Delays are the times until the events of a mail.
func Delays(d sandbox.Delays) Option { return func(c *sandbox.Config) { c.Delays = d } }

// Keep is how many mails stay in the inbox.
func Keep(mails int) Option { return func(c *sandbox.Config) { c.Keep = mails } }

// KeepBytes is how large the inbox may get.
func KeepBytes(n int64) Option { return func(c *sandbox.Config) { c.KeepBytes = n } }

// Events changes how events are posted.
func Events(w sandbox.WebhookConfig) Option { return func(c *sandbox.Config) { c.Webhook = w } }

// RunT starts a sandbox and stops it when the test ends.
func RunT(t testing.TB, opts ...Option) *sandbox.Sandbox {
	t.Helper()
	cfg := sandbox.Config{
		ListenAddr: "127.0.0.1:0",
		Seed:       1,
		Delays:     sandbox.Delays{Processed: 5 * time.Millisecond, Delivered: 10 * time.Millisecond, Open: 20 * time.Millisecond},
		Webhook:    sandbox.WebhookConfig{RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond},
	}
	for _, o := range opts {
		o(&cfg)
	}
	s, err := sandbox.New(cfg, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	if err != nil {
		t.Fatalf("make sandbox: %v", err)
	}
	if err := s.Listen(); err != nil {
		t.Fatalf("start sandbox: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sandbox: %v", err)
		}
	})
	return s
}
