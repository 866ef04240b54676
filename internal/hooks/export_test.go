package hooks

import "time"

// Hurry shortens how long a slow client is waited for.
func (s *Server) Hurry(d time.Duration) { s.patience = patience{header: d, body: d, idle: d} }
