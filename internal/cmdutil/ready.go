package cmdutil

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Readiness answers /readyz: 200 while every check passes and the process is not draining, else 503 with the reasons.
// That of a Program is "starting" until the program calls Started.
type Readiness struct {
	starting atomic.Bool
	draining atomic.Bool
	mu       sync.Mutex // protects checks
	checks   []check
}

type check struct {
	name string
	test func(context.Context) error
}

// checkTimeout bounds all of one answer's checks, which run side by side.
const checkTimeout = 2 * time.Second

// Add makes the process ready only while test returns nil. The error's text is shown to whoever asks.
func (r *Readiness) Add(name string, test func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = append(r.checks, check{name, test})
}

// Started says that the program's ports listen.
func (r *Readiness) Started() { r.starting.Store(false) }

func (r *Readiness) drain() { r.draining.Store(true) }

func (r *Readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), checkTimeout)
	defer cancel()
	if faults := r.faults(ctx); len(faults) > 0 {
		http.Error(w, strings.Join(faults, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (r *Readiness) faults(ctx context.Context) []string {
	if r.draining.Load() {
		return []string{"draining"}
	}
	if r.starting.Load() {
		return []string{"starting"}
	}
	r.mu.Lock()
	checks := r.checks
	r.mu.Unlock()
	results := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { results[i] = c.test(ctx) })
	}
	wg.Wait()
	var faults []string
	for i, err := range results {
		if err != nil {
			faults = append(faults, checks[i].name+": "+oneLine(err))
		}
	}
	return faults
}
