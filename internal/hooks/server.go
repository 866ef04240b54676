package hooks

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/archive"
	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/listen"
)

// patience is how long a client may take. One that sends slower than this is cut off.
type patience struct {
	header time.Duration  // for a request's header
	body   connlimit.Pace // for its body
	idle   time.Duration  // between two requests
}

const (
	answerTimeout = pushTimeout + 10*time.Second // for the answer, once a request is there
	drainTimeout  = 15 * time.Second
	maxHeader     = 16 << 10

	archiveBytes = 64 << 20 // of one file
	archiveAge   = time.Hour
)

// Server is the webhook's HTTP server.
type Server struct {
	cfg     Config
	log     zerolog.Logger
	handler *handler
	ln      *connlimit.Listener
	tls     *tls.Config // nil: plain HTTP

	patience patience
}

// New makes a server. It talks to nobody and listens nowhere yet.
func New(cfg Config, pusher Pusher, log zerolog.Logger, reg prometheus.Registerer) (*Server, error) {
	log = log.With().Str("component", "webhook").Logger()
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	keys, err := newKeyring(cfg, m.keyFaults, log)
	if err != nil {
		return nil, err
	}
	envs := accepts(cfg.AcceptEnv, cfg.Environment)
	h := &handler{
		keys: keys, window: cfg.Window, filter: newFilter(envs), envs: newEnvWatch(envs, log, time.Now), budget: newBudget(cfg.MaxHeld, m.heldBytes),
		pusher: pusher, metrics: m, log: log, refusals: connlimit.Sampled(log),
	}
	h.guard = browserguard.Guard{NoBrowsers: true, Authenticated: !cfg.open(), AllowHosts: cfg.AllowHosts}
	if err := reg.Register(h.envs.gauge()); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if cfg.Pass != "" {
		hash := sha256.Sum256([]byte(cfg.Pass))
		h.passHash = &hash
	}
	if cfg.Archive != "" {
		opts := archive.Options{MaxBytes: archiveBytes, MaxAge: archiveAge, Keep: cfg.ArchiveKeep}
		if h.archive, err = archive.NewWriter(cfg.Archive, opts); err != nil {
			return nil, fmt.Errorf("--archive: %w", err)
		}
	}
	if err := h.serveLink(cfg.Unsubscribe, reg); err != nil {
		return nil, err
	}
	body := connlimit.Pace{Bytes: 16 << 10, Window: 5 * time.Second, Total: 30 * time.Second}
	p := patience{header: 5 * time.Second, body: body, idle: 90 * time.Second}
	return &Server{cfg: cfg, log: log, handler: h, patience: p}, nil
}

// Listen opens the address of --webhook-addr.
func (s *Server) Listen() error {
	if s.cfg.TLSCert != "" {
		var err error
		if s.tls, err = listen.TLS(s.cfg.TLSCert, s.cfg.TLSKey, s.log); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("--webhook-addr: %w", err)
	}
	s.ln = connlimit.Listen(ln, connlimit.Policy{Max: s.cfg.MaxConns}, s.handler.metrics.connections)
	s.handler.budget.reclaim = func(except *connlimit.Conn) bool { return s.ln.Reclaim(except, time.Second) }
	s.log.Info().Stringer("addr", ln.Addr()).Str("environment", s.cfg.Environment).Strs("accept_env", s.handler.envs.accepts).Msg("listening")
	if s.cfg.open() {
		s.log.Warn().Msg("anyone may post events: neither --webhook-pass nor a public key is set")
	}
	return nil
}

// Addr is where the server listens, once Listen has returned.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Run serves until ctx ends, and then finishes the requests that are under way. It calls Listen if nobody has.
func (s *Server) Run(ctx context.Context) (err error) {
	if s.handler.archive != nil {
		defer func() { err = errors.Join(err, s.handler.archive.Close()) }()
	}
	if s.ln == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	s.handler.pace = s.patience.body
	present, leave := context.WithCancel(ctx)
	var presence sync.WaitGroup
	presence.Go(func() { s.handler.presence.run(present, s.handler.pusher) })
	defer presence.Wait()
	defer leave()
	srv := s.httpServer()
	served := make(chan error, 1)
	go func() { served <- s.serve(srv) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drainCtx); err != nil {
		s.log.Warn().Err(err).Msg("cut off requests that would not end")
		srv.Close()
	}
	return <-served
}

func (s *Server) httpServer() *http.Server {
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: s.patience.header,
		ReadTimeout:  s.patience.header + s.patience.body.Total,
		WriteTimeout: s.patience.body.Total + answerTimeout, // it counts from the header's end
		IdleTimeout:  s.patience.idle, MaxHeaderBytes: maxHeader,
		ErrorLog:  log.New(io.Discard, "", 0), // what strangers on the internet do to a TLS handshake
		Protocols: new(http.Protocols),
	}
	s.ln.Attach(srv)
	srv.Protocols.SetHTTP1(true) // one request at a time per connection, so that --max-conns bounds them all
	return srv
}

func (s *Server) serve(srv *http.Server) error {
	serve := srv.Serve
	if s.tls != nil {
		srv.TLSConfig = s.tls
		serve = func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") }
	}
	if err := serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve webhook: %w", err)
	}
	return nil
}
