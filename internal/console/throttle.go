package console

import (
	"maps"
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// throttle limits how fast logins are tried: by each peer for each name, so that nobody locks others out, and by each peer
// in all, so that it cannot go through names.
type throttle struct {
	mu     sync.Mutex // protects limits
	limits map[string]*rate.Limiter
}

const (
	loginsPerSecond, loginBurst = 0.2, 5 // for a name
	peerPerSecond, peerBurst    = 2, 30
	// maxThrottled bounds the memory. Beyond it those who may try again anyway are forgotten, and then all.
	maxThrottled = 10_000
)

// allow reports whether a login may be tried now.
func (t *throttle) allow(r *http.Request, name string) bool {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	return t.limit(peer, peerPerSecond, peerBurst).Allow() && t.limit(peer+" "+name, loginsPerSecond, loginBurst).Allow()
}

func (t *throttle) limit(key string, perSecond rate.Limit, burst int) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.limits) >= maxThrottled {
		maps.DeleteFunc(t.limits, func(_ string, l *rate.Limiter) bool { return l.Tokens() >= float64(l.Burst()) })
	}
	if t.limits == nil || len(t.limits) >= maxThrottled {
		t.limits = make(map[string]*rate.Limiter)
	}
	if t.limits[key] == nil {
		t.limits[key] = rate.NewLimiter(perSecond, burst)
	}
	return t.limits[key]
}
