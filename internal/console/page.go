package console

import (
	"errors"
	"net/http"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// page is what every page shows around its own data.
type page struct {
	Title    string
	Page     string
	Error    string
	Revision string // no newer than the data
	User     user
	Login    bool // there is one, so one can log out
}

func (c *Console) page(r *http.Request, name, title string) page {
	return page{Title: title, Page: name, Revision: c.watch.feed.Revision(), User: userOf(r), Login: !c.gate.open() && !userOf(r).Proxied}
}

// CanAct tells whether the page shows what changes things.
func (p page) CanAct() bool { return p.User.Role == operator }

func (c *Console) render(w http.ResponseWriter, status int, name string, data any) {
	c.pages.Render(w, c.log, status, name, data)
}

type faultView struct {
	page
	Text string
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.render(w, http.StatusNotFound, "fault", faultView{c.page(r, "", "Not found"), "There is no such page."})
}

// fail answers a request that could not be served: 503 when okq or the store is away, which passes.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	c.log.Error().Err(err).Str("path", r.URL.Path).Msg("page not served")
	status, text := http.StatusInternalServerError, "Something went wrong. The console's log says what."
	if errors.Is(err, okq.ErrUnavailable) || errors.Is(err, stats.ErrUnavailable) || errors.Is(err, prefs.ErrUnavailable) {
		status, text = http.StatusServiceUnavailable, "The queue or the store does not answer. Try again in a moment."
	}
	c.render(w, status, "fault", faultView{c.page(r, "", "That did not work"), text})
}
