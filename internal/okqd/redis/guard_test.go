package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// server is an okqd whose log and readiness a test looks at.
type server struct {
	*okqd.Server
	addr string
	reg  *prometheus.Registry
}

func serve(t *testing.T, log zerolog.Logger, opts ...okqdtest.Option) (*server, error) {
	t.Helper()
	reg := prometheus.NewRegistry()
	s := &server{Server: okqd.New(okqdtest.Config(t, opts...), log, reg), reg: reg}
	if err := s.Listen(); err != nil {
		return nil, err
	}
	s.addr = s.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("okqd: %v", err)
		}
	})
	return s, nil
}

func (s *server) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestRedisThatMayEvictIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"allkeys-lru", "volatile-ttl", "allkeys-random"} {
		r := testenv.StartRedis(t, "--maxmemory-policy", policy)
		_, err := serve(t, zerolog.Nop(), okqdtest.WithRedis(r.Addr))
		if err == nil || !strings.Contains(err.Error(), "maxmemory-policy") || !strings.Contains(err.Error(), policy) || !strings.Contains(err.Error(), r.Addr) {
			t.Errorf("%s: %v", policy, err)
		}
	}
}

// The setting changes while okqd runs: pushes are refused, what is there is served, and readyz says why.
func TestRedisThatMayEvictIsSeenWhileRunning(t *testing.T) {
	t.Parallel()
	for name, forbid := range map[string]bool{"config allowed": false, "config forbidden": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testenv.StartRedis(t)
			if forbid {
				r.CLI("ACL", "SETUSER", "default", "-config")
				r.CLI("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
			}
			set := func(policy string) {
				r.CLI("--user", "admin", "--pass", "admin", "--no-auth-warning", "CONFIG", "SET", "maxmemory-policy", policy)
			}
			if !forbid {
				set = func(policy string) { r.CLI("CONFIG", "SET", "maxmemory-policy", policy) }
			}
			s, err := serve(t, zerolog.Nop(), okqdtest.WithRedis(r.Addr))
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, s.addr)
			want(t, c, "OK", "QLPUSH q before x")
			set("allkeys-lru")
			eventually(t, "pushes are refused", func() bool {
				return strings.HasPrefix(do(t, c, "QLPUSH q id x"), "ERR redis may evict events")
			})
			want(t, c, "ERR redis may evict events: pushes are refused until its maxmemory-policy is noeviction", "QRPUSH q id x DELAY 9")
			if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "allkeys-lru") {
				t.Errorf("ready: %v", err)
			}
			if s.gauge(t, "okqd_redis_may_evict") != 1 {
				t.Error("the metric does not tell")
			}
			want(t, c, "[before x]", "QRPOP q EX 60")
			want(t, c, "1", "QACK q before")
			set("noeviction")
			eventually(t, "pushes are taken again", func() bool { return do(t, c, "QLPUSH q after x") == "OK" })
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// Any server of a Cluster may become one that is pushed to.
func TestOneServerOfAClusterThatMayEvictIsEnough(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 0)
	nodes[2].CLI("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
	if _, err := serve(t, zerolog.Nop(), onCluster(nodes, 3)); err == nil || !strings.Contains(err.Error(), nodes[2].Addr) {
		t.Errorf("start: %v", err)
	}
}

func TestRedisThatKeepsLessThanIsAnsweredIsWarnedOf(t *testing.T) {
	t.Parallel()
	for reason, settings := range map[string][]string{
		"":                  {},
		"appendonly is no":  {"--appendonly", "no"},
		"appendfsync is no": {"--appendfsync", "no"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s, err := serve(t, zerolog.New(zerolog.SyncWriter(&log)), okqdtest.WithRedis(testenv.StartRedis(t, settings...).Addr))
			if err != nil {
				t.Fatal(err)
			}
			warned := strings.Contains(log.String(), "does not keep on its disk")
			if warned != (reason != "") || !strings.Contains(log.String(), reason) {
				t.Errorf("log: %s", &log)
			}
			if kept := s.gauge(t, "okqd_redis_persistent") == 1; kept != (reason == "") {
				t.Errorf("the metric says %v", kept)
			}
		})
	}
}

// Who looks at okqd is told within a second, also when Redis hangs or is gone.
func TestStatusAndMetricsDoNotWaitForRedis(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(r *testenv.RedisProcess) (mend func()){
		"hangs": func(r *testenv.RedisProcess) func() { r.Pause(); return r.Resume },
		"gone":  func(r *testenv.RedisProcess) func() { r.Kill(); return r.Start },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testenv.StartRedis(t)
			s, err := serve(t, zerolog.Nop(), okqdtest.WithRedis(r.Addr))
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, s.addr)
			want(t, c, "OK", "QLPUSH q id x")
			mend := fault(r)
			quick := func(what string, look func() string, words string) {
				t.Helper()
				begin := time.Now()
				if got := look(); !strings.Contains(got, words) {
					t.Errorf("%s: %s", what, got)
				}
				if took := time.Since(begin); took > time.Second {
					t.Errorf("%s took %v", what, took)
				}
			}
			handler := promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{})
			get := func(h http.Handler, path string) func() string {
				return func() string {
					answer := httptest.NewRecorder()
					h.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
					return fmt.Sprint(answer.Code, " ", answer.Body)
				}
			}
			for range 3 {
				quick("QSTATUS", func() string { return do(t, c, "QSTATUS") }, "ERR ")
				quick("QSTATUS q", func() string { return do(t, c, "QSTATUS q") }, "ERR ")
				quick("INFO", func() string { return do(t, c, "INFO") }, "connections:1")
				quick("/metrics", get(handler, "/metrics"), "okqd_connections 1")
				quick("/queues", get(http.HandlerFunc(s.ServeQueues), "/queues"), "503")
				quick("ready", func() string { return fmt.Sprint(s.Ready(t.Context())) }, "redis")
			}
			mend()
			eventually(t, "it is well again", func() bool { return s.Ready(t.Context()) == nil })
			eventually(t, "the queue is there", func() bool { return strings.HasPrefix(do(t, c, "QSTATUS q"), "[[q 1 0 0 0 ") })
			if n, err := testutil.GatherAndCount(s.reg, "okqd_queue_depth"); n != 1 || err != nil {
				t.Errorf("depths of %d queues, %v", n, err)
			}
		})
	}
}
