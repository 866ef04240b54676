package cmdutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
)

// OpsConfig is the endpoint for those who run the process: /healthz, /readyz, /metrics and, if asked for, /debug/pprof/.
type OpsConfig struct {
	Addr  string
	Pprof bool
}

// AddFlags defines --ops-addr and --pprof.
func (c *OpsConfig) AddFlags(fs *pflag.FlagSet, addr string) {
	fs.StringVar(&c.Addr, "ops-addr", addr, "address of /healthz, /readyz and /metrics; empty for none")
	fs.BoolVar(&c.Pprof, "pprof", false, "serve /debug/pprof/ on --ops-addr too")
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
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}
