package sandbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/sandbox/webhook"
)

// Config is what a sandbox is started with. Only what has no usable zero
// value must be set: New fills in the rest.
type Config struct {
	ListenAddr     string
	AllowHosts     browserguard.Hosts
	WebhookURL     string // may hold user:pass; empty: no events are posted
	Key            string // the API key to insist on; empty: any will do
	PrivateKeyFile string // PEM, made if missing; empty: a new key each start
	Delays         Delays
	Keep           int    // mails in the inbox
	KeepBytes      int64  // their bodies and events together
	Seed           uint64 // of message ids, fault dice and event order; 0: a random one

	Webhook WebhookConfig
}

// Delays are the times from accepting a mail to what happens to it.
type Delays struct {
	Processed time.Duration
	Delivered time.Duration // also deferred, bounce
	Open      time.Duration // also click, spamreport, unsubscribe
}

// WebhookConfig is how events are posted; see webhook.Config for the defaults.
type WebhookConfig struct {
	Concurrency int
	RetryMin    time.Duration
	RetryMax    time.Duration
	MaxBuffered int
	Copies      int
	Shuffle     bool
}

// Defaults of Config.
const (
	DefaultListenAddr = "127.0.0.1:8994"
	DefaultKeep       = 1000
	DefaultKeepBytes  = 256 << 20
)

// DefaultDelays are short, so that a demonstration does not bore.
func DefaultDelays() Delays {
	return Delays{Processed: 200 * time.Millisecond, Delivered: 600 * time.Millisecond, Open: 1500 * time.Millisecond}
}

// AddFlags registers the flags of Config on fs and sets their defaults.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	d := DefaultDelays()
	fs.StringVar(&c.ListenAddr, "listen-addr", DefaultListenAddr, "address of the API and the inbox page")
	c.AllowHosts.AddFlag(fs)
	fs.StringVar(&c.WebhookURL, "webhook-url", "", "where events are posted, http://[user:pass@]host:port/ (empty: nowhere)")
	fs.StringVar(&c.Key, "sendgrid-key", "", "API key that mails must come with (empty: any)")
	fs.StringVar(&c.PrivateKeyFile, "private-key-file", "", "PEM file of the key that signs events, made if missing (empty: a new key each start)")
	fs.DurationVar(&c.Delays.Processed, "delay-processed", d.Processed, "time from accepted to processed or dropped")
	fs.DurationVar(&c.Delays.Delivered, "delay-delivered", d.Delivered, "time from accepted to delivered, deferred or bounce")
	fs.DurationVar(&c.Delays.Open, "delay-open", d.Open, "time from accepted to open, click, spamreport or unsubscribe")
	fs.IntVar(&c.Keep, "keep", DefaultKeep, "mails kept in the inbox; counters count all")
	fs.Int64Var(&c.KeepBytes, "keep-bytes", DefaultKeepBytes, "bytes kept in the inbox, bodies and events together")
	fs.Uint64Var(&c.Seed, "seed", 0, "seed of message ids, fault dice and event order (0: random)")
	fs.IntVar(&c.Webhook.Concurrency, "webhook-concurrency", 8, "webhook POSTs in flight")
	fs.DurationVar(&c.Webhook.RetryMin, "webhook-retry-min", 500*time.Millisecond, "pause after a webhook answer that is not 2xx; doubles each time")
	fs.DurationVar(&c.Webhook.RetryMax, "webhook-retry-max", 30*time.Second, "longest such pause")
	fs.IntVar(&c.Webhook.MaxBuffered, "event-buffer", 500_000, "events that may wait to be posted; more are lost and counted")
	fs.IntVar(&c.Webhook.Copies, "event-copies", 1, "how often each event is posted, to try deduplication")
	fs.BoolVar(&c.Webhook.Shuffle, "event-shuffle", false, "post events in random order")
}

// Validate joins all faults, each naming its flag.
func (c *Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if _, err := webhook.ParseURL(c.WebhookURL); err != nil {
		errs = append(errs, fmt.Errorf("--webhook-url: %w", err))
	}
	fault(c.Delays.Processed < 0, "--delay-processed must not be negative")
	fault(c.Delays.Delivered < 0, "--delay-delivered must not be negative")
	fault(c.Delays.Open < 0, "--delay-open must not be negative")
	fault(c.Keep < 0, "--keep must not be negative")
	fault(c.KeepBytes < 0, "--keep-bytes must not be negative")
	fault(c.Webhook.Concurrency < 0, "--webhook-concurrency must not be negative")
	fault(c.Webhook.RetryMin < 0, "--webhook-retry-min must not be negative")
	fault(c.Webhook.RetryMax < c.Webhook.RetryMin, "--webhook-retry-max must not be less than --webhook-retry-min")
	fault(c.Webhook.MaxBuffered < 0, "--event-buffer must not be negative")
	fault(c.Webhook.Copies < 0 || c.Webhook.Copies > 100, "--event-copies must be at most 100")
	return errors.Join(errs...)
}
