package sandbox

import (
	"net/http"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/web"
)

// handler is the whole site: SendGrid's API, and ours behind a guard against
// requests that other sites make a browser send.
func (s *Sandbox) handler() http.Handler {
	own := http.NewServeMux()
	s.addAPI(own)
	s.addPages(own)

	mux := http.NewServeMux()
	mux.HandleFunc("/v3/mail/send", s.serveSend)
	mux.HandleFunc("/v3/", func(w http.ResponseWriter, _ *http.Request) {
		answerText(w, http.StatusNotFound, saysNoRoute)
	})
	mux.Handle("/", web.Secure(own))
	guard := browserguard.Guard{AllowHosts: s.cfg.AllowHosts}
	return guard.Handler(mux)
}
