package okqd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/local"
	"github.com/levenlabs/postmaster/internal/okqd/redis"
)

// Server serves the okq protocol.
type Server struct {
	cfg      Config
	log      zerolog.Logger
	failures zerolog.Logger // of commands: an outage of Redis fails them all, so some a second are enough
	refusals zerolog.Logger // of clients: an attack must not fill the log
	reg      *prometheus.Registry
	metrics  *metrics
	commands map[string]command
	inflight *semaphore.Weighted // bytes of large commands being received
	replies  *replies

	ln     net.Listener
	engine engine.Engine

	lastID   atomic.Int64
	serving  atomic.Bool // engine and ln are set
	draining atomic.Bool
	mu       sync.Mutex // protects the fields below
	conns    map[*conn]struct{}
	known    int // of conns
}

const (
	// drainTimeout is how long running commands may take after Run's context ended.
	drainTimeout = 5 * time.Second
	// cutTimeout is how long connections may take to end after that.
	cutTimeout = time.Second
)

// New returns a Server that Listen and Run bring up. cfg is valid.
func New(cfg Config, log zerolog.Logger, reg *prometheus.Registry) *Server {
	s := &Server{
		cfg:      cfg,
		log:      log,
		failures: log.Sample(&zerolog.BurstSampler{Burst: 5, Period: time.Second}),
		refusals: log.Sample(&zerolog.BurstSampler{Burst: 3, Period: 10 * time.Second}),
		reg:      reg,
		metrics:  newMetrics(reg),
		inflight: semaphore.NewWeighted(cfg.MaxInflight),
		replies:  newReplies(cfg.MaxInflight),
		conns:    make(map[*conn]struct{}),
	}
	s.commands = commands()
	return s
}

// Listen opens the engine and the port, so that Addr is known. Run does it if it was not done; after it, Run must
// be called, for it is what closes both.
func (s *Server) Listen() error {
	tlsConfig, err := s.cfg.tlsConfig(s.log)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", s.cfg.ListenAddr)
	if err != nil {
		return fmt.Errorf("--listen-addr: %w", err)
	}
	eng, err := s.openEngine()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	s.engine = eng
	s.reg.MustRegister(depthCollector{eng, s.metrics.labels})
	ln = connlimit.Listen(ln, s.cfg.policy(), s.metrics.connections)
	if tlsConfig != nil {
		ln = tls.NewListener(ln, tlsConfig)
	}
	s.ln = ln
	s.serving.Store(true)
	s.log.Info().Stringer("addr", ln.Addr()).Msg("listening")
	for _, p := range s.cfg.Passwords {
		if len(p) < shortPassword {
			s.log.Warn().Int("bytes", len(p)).Msg("the password is short: give one of at least 16 random characters")
		}
	}
	return nil
}

// ListenContext is Listen, but it returns ctx's error when ctx ends: a disk may take long to be read, or not answer. The
// process must end then.
func (s *Server) ListenContext(ctx context.Context) error {
	listening := make(chan error, 1)
	go func() { listening <- s.Listen() }()
	select {
	case err := <-listening:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) openEngine() (engine.Engine, error) {
	if s.cfg.Redis.Enabled() {
		return redis.Open(s.cfg.Redis, s.log, s.reg)
	}
	return local.Open(s.cfg.Local, s.log, s.reg)
}

// Addr is where the server listens, once it does.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Ready says why commands would not be served, if so.
func (s *Server) Ready(ctx context.Context) error {
	if s.draining.Load() {
		return errors.New("draining")
	}
	if !s.serving.Load() {
		return errors.New("starting")
	}
	return s.engine.Ready(ctx)
}

// Run serves until ctx ends; then it lets running commands finish, and closes connections and engine. It returns
// early, with an error, when the engine cannot go on.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		if err := s.ListenContext(ctx); err != nil {
			return err
		}
	}
	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	engineDone := make(chan error, 1)
	go func() { engineDone <- s.engine.Run(engineCtx) }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	commands, cut := context.WithCancel(context.WithoutCancel(ctx)) // those begun go on when ctx has ended
	defer cut()
	var conns sync.WaitGroup
	acceptDone := make(chan error, 1)
	go func() { acceptDone <- s.accept(ctx, commands, &conns) }()

	select {
	case err := <-engineDone:
		return fmt.Errorf("queue storage: %w", err) // the process ends; nothing can be promised to connections
	case err := <-acceptDone:
		s.drain(&conns, cut)
		stopEngine()
		return errors.Join(err, <-engineDone)
	}
}

// accept serves connections until ctx ends. Their commands may go on until the context commands does.
func (s *Server) accept(ctx, commands context.Context, conns *sync.WaitGroup) error {
	stop := context.AfterFunc(ctx, func() {
		s.draining.Store(true)
		s.ln.Close()
	})
	defer stop()
	for {
		nc, err := s.ln.Accept()
		if s.draining.Load() {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept: %w", err)
		}
		if err != nil { // of that connection, or there are no file descriptors: either passes
			s.log.Warn().Err(err).Msg("accept")
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c := newConn(s, nc)
		s.add(c)
		conns.Go(func() {
			defer s.remove(c)
			c.serve(commands)
		})
	}
}

func (s *Server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

// introduce counts a connection whose client is known now. It returns false when there are too many.
func (s *Server) introduce(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known >= s.cfg.MaxConns {
		return false
	}
	s.known++
	c.known = true
	c.limit.Admit()
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.known {
		s.known--
	}
}

// drain ends all connections: the idle ones now, the others after the commands that they have begun, and what is not done
// by then is cut off. What even that does not end, such as a read of a disk that does not answer, is left behind.
func (s *Server) drain(conns *sync.WaitGroup, cut func()) {
	s.each((*conn).interrupt)
	ended := make(chan struct{})
	go func() { conns.Wait(); close(ended) }()
	for _, patience := range []time.Duration{drainTimeout, cutTimeout} {
		select {
		case <-ended:
			return
		case <-time.After(patience):
			cut()
			s.each((*conn).kill)
		}
	}
}

func (s *Server) each(do func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		do(c)
	}
}

func (s *Server) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
