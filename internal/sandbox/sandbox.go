package sandbox

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/webhook"
	"github.com/levenlabs/postmaster/internal/web"
)

// Sandbox is one fake SendGrid. Make it with New, then Listen, then Run.
type Sandbox struct {
	cfg       Config
	log       zerolog.Logger
	key       *ecdsa.PrivateKey
	publicKey string
	ids       *idSource
	inbox     *inbox
	tally     *tally
	refusals  refusals
	feed      *web.Feed
	hook      *webhook.Poster
	faults    *faults.Set
	bodies    *semaphore.Weighted // see readBody
	pages     web.Pages
	listener  net.Listener // set by Listen
}

// New checks cfg and makes a Sandbox that does nothing yet.
func New(cfg Config, log zerolog.Logger) (*Sandbox, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	setDefaults(&cfg)
	key, err := signingKey(cfg.PrivateKeyFile)
	if err != nil {
		return nil, err
	}
	publicKey, err := webhook.PublicKey(key)
	if err != nil {
		return nil, err
	}
	hook, err := webhook.New(webhook.Config{
		Key:         key,
		Concurrency: cfg.Webhook.Concurrency,
		RetryMin:    cfg.Webhook.RetryMin,
		RetryMax:    cfg.Webhook.RetryMax,
		MaxBuffered: cfg.Webhook.MaxBuffered,
		Copies:      cfg.Webhook.Copies,
		Shuffle:     cfg.Webhook.Shuffle,
		Seed:        cfg.Seed,
	}, log)
	if err != nil {
		return nil, err
	}
	pages, err := web.ParsePages(webFiles(), nil, "inbox", "mail", "faults", "settings")
	if err != nil {
		return nil, err
	}
	s := &Sandbox{
		pages:     pages,
		cfg:       cfg,
		log:       log,
		key:       key,
		publicKey: publicKey,
		ids:       newIDSource(cfg.Seed),
		inbox:     newInbox(cfg.Keep, cfg.KeepBytes),
		tally:     newTally(),
		feed:      web.NewFeed(),
		hook:      hook,
		faults:    faults.NewSet(cfg.Seed),
		bodies:    semaphore.NewWeighted(bodiesAtOnce),
	}
	return s, s.SetWebhookURL(cfg.WebhookURL)
}

func setDefaults(cfg *Config) {
	if cfg.ListenAddr == "" {
		cfg.ListenAddr = DefaultListenAddr
	}
	if cfg.Keep == 0 {
		cfg.Keep = DefaultKeep
	}
	if cfg.KeepBytes == 0 {
		cfg.KeepBytes = DefaultKeepBytes
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
}

// Listen opens the listening socket, so that Addr and URL are known before
// Run.
func (s *Sandbox) Listen() error {
	l, err := net.Listen("tcp", s.cfg.ListenAddr)
	if err != nil {
		return fmt.Errorf("--listen-addr: %w", err)
	}
	s.listener = l
	s.log.Info().Str("addr", l.Addr().String()).Uint64("seed", s.cfg.Seed).Msg("sandbox listening")
	return nil
}

// Addr is the listening address; nil before Listen.
func (s *Sandbox) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// URL is what --sendgrid-url is set to, and where the inbox page is; "" before
// Listen. An address that means all interfaces is answered as this machine.
func (s *Sandbox) URL() string {
	return web.URL(s.Addr())
}

// PublicKey verifies the events; it is in the form SendGrid's settings page
// shows, which --webhook-public-key takes.
func (s *Sandbox) PublicKey() string { return s.publicKey }

// SetWebhookURL changes where events are posted, those waiting included; ""
// is nowhere.
func (s *Sandbox) SetWebhookURL(raw string) error {
	u, err := webhook.ParseURL(raw)
	if err != nil {
		return fmt.Errorf("--webhook-url: %w", err)
	}
	s.hook.SetURL(u)
	return nil
}

// Run serves until ctx ends. It listens first, unless Listen did.
func (s *Sandbox) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return web.Serve(ctx, s.listener, s.handler()) }) // hanging answers end with ctx
	g.Go(func() error { return s.hook.Run(ctx) })
	return g.Wait()
}
