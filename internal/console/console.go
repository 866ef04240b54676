package console

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/web"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Queue is what the console asks of okq.
type Queue interface {
	Status(ctx context.Context, queues ...string) ([]okq.QueueStatus, error)
	Traffic(ctx context.Context) (map[string]okq.Traffic, error)
	deadletter.Finder
}

// Records is what the console asks of the records of mails.
type Records interface {
	CountUnknown(ctx context.Context, atMost int) (int, error)
	Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*stats.Record, error)
	Find(ctx context.Context, q stats.Query) ([]*stats.Record, error)
	Tally(ctx context.Context, from, to time.Time) ([]stats.Tally, error)
}

// Prefs is what the console asks of the preferences.
type Prefs interface {
	About(ctx context.Context, address string) (prefs.About, error)
	SetFlags(ctx context.Context, address string, flags int64, at time.Time) error
}

// Deps are what a console talks to.
type Deps struct {
	Queue   Queue
	Records Records // nil, as is Prefs: there is no store
	Prefs   Prefs
	Beats   heartbeat.Store // nil likewise
	Letters Letters
}

// Console is the site. Make it with New, then Listen, then Run.
type Console struct {
	cfg      Config
	deps     Deps
	log      zerolog.Logger
	gate     *gate
	proxy    *proxy // nil: none is trusted
	sessions *sessions
	kinds    []kind
	pages    web.Pages
	watch    *watch
	health   *health      // nil without a store
	listener net.Listener // set by Listen
}

//go:embed pages
var embedded embed.FS

// New reads the passwords and makes a Console that does nothing yet. cfg is valid.
func New(cfg Config, deps Deps, log zerolog.Logger) (*Console, error) {
	passwords, err := cfg.passwords()
	if err != nil {
		return nil, err
	}
	var users *users
	if cfg.UsersFile != "" {
		if users, err = openUsers(cfg.UsersFile); err != nil {
			return nil, err
		}
	}
	pages, err := web.ParsePages(files(), functions, "login", "fault", "now", "mails", "mail", "recipient", "dead", "ask", "health")
	if err != nil {
		return nil, err
	}
	kinds, err := cfg.kinds()
	if err != nil {
		return nil, err
	}
	log = log.With().Str("component", "console").Logger()
	c := &Console{
		cfg: cfg, deps: deps, log: log, gate: newGate(passwords, users), sessions: newSessions(), kinds: kinds,
		pages: pages, watch: newWatch(deps, time.Now),
	}
	if len(cfg.TrustedProxies) > 0 {
		networks, err := parseNetworks(cfg.TrustedProxies)
		if err != nil {
			return nil, err
		}
		c.proxy = &proxy{networks, cfg.UserHeader, cfg.Operators}
	}
	if deps.Records != nil {
		c.health = newHealth(deps.Records, log, time.Now)
	}
	return c, nil
}

func files() fs.FS {
	pages, _ := fs.Sub(embedded, "pages") // embedded above
	return pages
}

// Listen opens the address, so that Addr is known before Run.
func (c *Console) Listen() error {
	l, err := net.Listen("tcp", c.cfg.Addr)
	if err != nil {
		return fmt.Errorf("--console-addr: %w", err)
	}
	c.listener = l
	c.log.Info().Stringer("addr", l.Addr()).Bool("login", !c.gate.open()).Msg("listening")
	return nil
}

// URL is where a browser finds the console, after Listen.
func (c *Console) URL() string { return web.URL(c.listener.Addr()) }

// Run serves until ctx ends. It listens first, unless Listen did.
func (c *Console) Run(ctx context.Context) error {
	if c.listener == nil {
		if err := c.Listen(); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return web.Serve(ctx, c.listener, c.handler()) })
	g.Go(func() error { c.watch.run(ctx); return nil })
	if c.health != nil {
		g.Go(func() error { c.health.run(ctx); return nil })
	}
	return g.Wait()
}

// streamPath is where pages hear of changes.
const streamPath = "/stream"

func (c *Console) handler() http.Handler {
	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", c.pageNow)
	inside.Handle("GET "+streamPath, c.watch.feed)
	inside.HandleFunc("GET /mails", c.pageMails)
	inside.HandleFunc("GET /mails/{id}", c.pageMail)
	inside.HandleFunc("GET /mails/{id}/html", c.serveHTML)
	inside.HandleFunc("GET /recipient", c.pageRecipient)
	inside.HandleFunc("POST /recipient", c.formPrefs)
	inside.HandleFunc("GET /health", c.pageHealth)
	inside.HandleFunc("GET /dead", c.pageDead)
	inside.HandleFunc("GET /dead/ask", c.pageAsk)
	inside.HandleFunc("POST /dead", c.formDead)
	inside.HandleFunc("/", c.notFound)

	site := http.NewServeMux()
	web.AddAssets(site, files(), "console.css", "console.svg")
	site.HandleFunc("GET /login", c.pageLogin)
	site.HandleFunc("POST /login", c.formLogin)
	site.HandleFunc("POST /logout", c.formLogout)
	site.Handle("/", c.guard(inside))
	return web.Secure(site)
}
