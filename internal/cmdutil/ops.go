package cmdutil

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/listen"
)

// OpsConfig is the endpoint for those who run the process: /healthz, /readyz, /metrics and, if asked for, /debug/pprof/.
type OpsConfig struct {
	Addr      string
	Pprof     bool
	PprofPass string

	allowHosts browserguard.Hosts
}

// AddFlags defines the flags of the ops endpoint. What c holds is their default.
func (c *OpsConfig) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addr, "ops-addr", c.Addr, "address of /healthz, /readyz and /metrics; empty for none")
	c.allowHosts.AddFlag(fs)
	fs.BoolVar(&c.Pprof, "pprof", false, "serve /debug/pprof/ on --ops-addr too")
	fs.StringVar(&c.PprofPass, "pprof-pass", "", "basic auth password for /debug/pprof/, with any user; better in the environment")
}

// Validate names the flag that is wrong.
func (c *OpsConfig) Validate() error {
	if c.Addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("--ops-addr: %w", err)
	}
	return nil
}

// Listeners says that profiles need a credential; the other pages of the ops endpoint do not.
func (c *OpsConfig) Listeners() []listen.Listener {
	return []listen.Listener{{Flag: "--ops-addr", Addr: c.Addr, Protected: !c.Pprof || c.PprofPass != "", Needs: "--pprof-pass, or no --pprof"}}
}

// NewRegistry returns a metrics registry with what the Go runtime and the process tell of themselves.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// RunWithOps serves the ops endpoint for as long as run runs.
func RunWithOps(ctx context.Context, c OpsConfig, env Env, run func(context.Context, Env) error) error {
	if c.Addr == "" {
		return run(ctx, env)
	}
	ln, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("--ops-addr: %w", err)
	}
	env.Log.Info().Stringer("addr", ln.Addr()).Str("component", "ops").Msg("listening")
	defer context.AfterFunc(ctx, env.Ready.drain)()
	srv := &http.Server{Handler: opsHandler(c, env), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	runErr := run(ctx, env)
	srv.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(runErr, fmt.Errorf("serve --ops-addr: %w", err))
	}
	return runErr
}

func opsHandler(c OpsConfig, env Env) http.Handler {
	mux := env.Ops
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/readyz", env.Ready)
	mux.Handle("/metrics", promhttp.HandlerFor(env.Metrics, promhttp.HandlerOpts{}))
	if c.Pprof {
		mux.Handle("/debug/pprof/", c.profiles())
	}
	guard := browserguard.Guard{AllowHosts: c.allowHosts}
	return guard.Handler(mux)
}

// profiles serves net/http/pprof, but for the command line, which may hold secrets.
func (c *OpsConfig) profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, filepath.Base(os.Args[0])) })
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if c.PprofPass == "" {
		return mux
	}
	want := sha256.Sum256([]byte(c.PprofPass))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pass, _ := r.BasicAuth()
		if got := sha256.Sum256([]byte(pass)); subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="postmaster"`)
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
