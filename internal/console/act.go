package console

import (
	"net/http"

	"github.com/rs/zerolog"
)

// did begins the log's line about what a user did.
func (c *Console) did(r *http.Request, act string) *zerolog.Event {
	u := userOf(r)
	return c.log.Info().Str("user", u.Name).Str("role", string(u.Role)).Str("addr", r.RemoteAddr).Str("act", act)
}
