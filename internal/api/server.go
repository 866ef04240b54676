package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/internal/tracing"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// How long a client may take, so that slow ones cannot hold on to the server. A large body gets more: see body.go.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 5 * time.Minute // from the request's header on: the longest body, waiting for room, the work, the answer
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 15 * time.Second
	maxHeader     = 16 << 10
)

// A Queue takes mails, and finds those that wait in it. *okq.Client is one.
type Queue interface {
	Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error
	Find(ctx context.Context, queue, id string) (okq.Found, bool, error)
}

// Prefs is what the server needs of prefs.Store.
type Prefs interface {
	Flags(ctx context.Context, addresses []string) (map[string]int64, error)
	SetFlags(ctx context.Context, address string, flags int64, at time.Time) error
	Move(ctx context.Context, oldAddress, newAddress string, at time.Time) error
}

// Records is what the server needs of stats.Store.
type Records interface {
	Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*stats.Record, error)
	Last(ctx context.Context, recipient, uniqueID string) (*stats.Record, error)
}

// Deps is what the server works with. Without a store the last three are nil, and their methods answer so.
type Deps struct {
	Queue   Queue
	Large   Queue // Queue too, on connections of its own, so that no small mail waits behind a large one; nil: Queue
	Prefs   Prefs
	Records Records
	Keys    idempotency.Store
	Tracer  *tracing.Tracer // nil: nothing is traced
}

// Server is the JSON-RPC server.
type Server struct {
	cfg         Config
	deps        Deps
	log         zerolog.Logger
	refusals    zerolog.Logger // log, for what strangers do
	methods     map[string]method
	guard       browserguard.Guard
	tokens      tokens
	bodies      *bodies
	decoding    *decoding
	largePushes *semaphore.Weighted
	finds       *semaphore.Weighted // of events in okq
	metrics     *metrics
	ln          net.Listener
	conns       *connlimit.Listener // under ln
}

// New returns a server that is not reachable yet.
func New(cfg Config, deps Deps, log zerolog.Logger, reg prometheus.Registerer) (*Server, error) {
	if deps.Large == nil {
		deps.Large = deps.Queue
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s := &Server{
		cfg: cfg, deps: deps, log: log.With().Str("component", "api").Logger(), tokens: newTokens(cfg.Tokens),
		guard:  browserguard.Guard{NoBrowsers: true, Authenticated: len(cfg.Tokens) > 0, AllowHosts: cfg.AllowHosts},
		bodies: newBodies(int64(cfg.MaxBody), int64(cfg.MaxHeld)), decoding: newDecoding(2 * int64(cfg.MaxBody)), largePushes: semaphore.NewWeighted(largeAtOnce), finds: semaphore.NewWeighted(findsAtOnce), metrics: m,
	}
	s.refusals = connlimit.Sampled(s.log)
	s.methods = s.table()
	m.zero(s.methods)
	return s, nil
}

// Listen opens the address of --listen-addr.
func (s *Server) Listen() error {
	var tlsConfig *tls.Config
	if s.cfg.TLSCert != "" {
		var err error
		if tlsConfig, err = listen.TLS(s.cfg.TLSCert, s.cfg.TLSKey, s.log); err != nil {
			return err
		}
		tlsConfig.NextProtos = []string{"http/1.1"}
	}
	ln, err := net.Listen("tcp", s.cfg.ListenAddr)
	if err != nil {
		return fmt.Errorf("--listen-addr: %w", err)
	}
	s.log.Info().Stringer("addr", ln.Addr()).Str("environment", s.cfg.Environment).Msg("listening")
	if s.deps.Prefs == nil {
		s.log.Warn().Msg("no store: only Enqueue works, and without idempotencyKey")
	}
	s.conns = connlimit.Listen(ln, connlimit.Policy{Max: s.cfg.MaxConns}, s.metrics.connections)
	s.ln = s.conns
	if tlsConfig != nil {
		s.ln = tls.NewListener(s.ln, tlsConfig)
	}
	return nil
}

// Addr is where the server listens, once Listen has returned.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Run serves until ctx ends, and then finishes the requests that are under way. It calls Listen if nobody has.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: stdlog.New(serverLog{s.log}, "", 0),
		Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true) // one request at a time on a connection, so that --max-conns bounds them all
	s.conns.Attach(srv)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve --listen-addr: %w", err)
	case <-ctx.Done():
	}
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drainCtx); err != nil {
		s.log.Warn().Err(err).Msg("cut off requests that would not end")
		srv.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve --listen-addr: %w", err)
	}
	return nil
}

// serverLog takes what net/http has to say, most of it about clients.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(p []byte) (int, error) {
	l.log.Debug().Err(errors.New(strings.TrimSpace(string(p)))).Msg("http server")
	return len(p), nil
}
