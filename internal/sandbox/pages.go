package sandbox

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/levenlabs/postmaster/internal/web"
)

//go:embed web
var embedded embed.FS

func webFiles() fs.FS {
	files, _ := fs.Sub(embedded, "web") // embedded above
	return files
}

// addPages registers the site for people.
func (s *Sandbox) addPages(mux *http.ServeMux) {
	web.AddAssets(mux, webFiles(), "icon.svg")
	mux.HandleFunc("GET /{$}", s.pageInbox)
	mux.HandleFunc("POST /mails/delete", s.formDeleteMails)
	mux.HandleFunc("GET /mails/{id}", s.pageMail)
	mux.HandleFunc("GET /mails/{id}/html", s.serveHTML)
	mux.HandleFunc("GET /mails/{id}/json", s.serveJSON)
	mux.HandleFunc("POST /mails/{id}/events", s.formMakeEvent)
	mux.HandleFunc("GET /faults", s.pageFaults)
	mux.HandleFunc("POST /faults", s.formAddFault)
	mux.HandleFunc("POST /faults/clear", s.formClearFaults)
	mux.HandleFunc("GET /settings", s.pageSettings)
	mux.HandleFunc("POST /settings/webhook", s.formSetWebhook)
}

// page is what every page shows around its own data.
type page struct {
	Title        string
	Page         string
	Error        string
	Revision     string // of the feed, no newer than the data
	Counters     Counters
	RefusedCount int64
	FaultCount   int
}

func (s *Sandbox) page(name, title string) page {
	p := page{Page: name, Title: title, Revision: s.feed.Revision(), Counters: s.Counters(), FaultCount: len(s.Faults().Rules)}
	for _, n := range p.Counters.Refused {
		p.RefusedCount += n
	}
	return p
}

func (s *Sandbox) render(w http.ResponseWriter, status int, name string, data any) {
	s.pages.Render(w, s.log, status, name, data)
}

// pageRows is how many mails the inbox page shows; the search finds the rest.
const pageRows = 200

func (s *Sandbox) pageInbox(w http.ResponseWriter, r *http.Request) {
	data := struct {
		page
		Query, URL, SampleKey string
		Rows                  []mailRow
		Kept                  int
		Refusals              []Refusal
	}{page: s.page("inbox", "Inbox"), URL: "http://" + r.Host, SampleKey: "SG.any"}
	if s.cfg.Key != "" {
		data.SampleKey = "$SENDGRID_KEY" // not ours to show
	}
	data.Query = strings.TrimSpace(r.URL.Query().Get("q"))
	data.Refusals = s.refusals.list()
	found, kept := s.inbox.find(Filter{Text: data.Query, Limit: pageRows})
	data.Kept = kept
	for _, m := range found {
		data.Rows = append(data.Rows, newMailRow(m))
	}
	s.render(w, http.StatusOK, "inbox", data)
}

func (s *Sandbox) pageMail(w http.ResponseWriter, r *http.Request) {
	p := s.page("mail", "") // before the mail is read, for its revision
	m, ok := s.Mail(r.PathValue("id"))
	if !ok {
		http.Error(w, "This mail is not in the inbox (any more).", http.StatusNotFound)
		return
	}
	p.Title = m.Subject()
	s.render(w, http.StatusOK, "mail", struct {
		page
		mailView
	}{p, newMailView(m)})
}

// serveHTML is the frame with the mail's own HTML.
func (s *Sandbox) serveHTML(w http.ResponseWriter, r *http.Request) {
	m, ok := s.Mail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	web.WriteMail(w, m.Request().Body("text/html"))
}

func (s *Sandbox) serveJSON(w http.ResponseWriter, r *http.Request) {
	m, ok := s.Mail(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID+`.json"`)
	w.Write(m.Body) //nolint:errcheck // as above
}
