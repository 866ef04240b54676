package sandbox

import "net/http"

// handler is the whole site: SendGrid's API and ours.
func (s *Sandbox) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v3/mail/send", s.serveSend)
	mux.HandleFunc("/v3/", func(w http.ResponseWriter, _ *http.Request) {
		answerText(w, http.StatusNotFound, saysNoRoute)
	})
	return mux
}
