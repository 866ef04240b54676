package hooks

import (
	"time"

	"github.com/levenlabs/postmaster/internal/connlimit"
)

// Hurry shortens how long a slow client is waited for.
func (s *Server) Hurry(d time.Duration) {
	s.patience = patience{header: d, body: connlimit.Pace{Bytes: 16 << 10, Window: d, Total: d}, idle: d}
}
