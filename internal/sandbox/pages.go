package sandbox

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed web
var webFiles embed.FS

// parsePages reads the templates, each page with the base they share.
func parsePages() (map[string]*template.Template, error) {
	pages := make(map[string]*template.Template)
	for _, name := range []string{"inbox", "mail", "faults", "settings"} {
		t, err := template.ParseFS(webFiles, "web/base.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page: %w", err)
		}
		pages[name] = t.Lookup(name + ".html")
	}
	return pages, nil
}

// addPages registers the site for people.
func (s *Sandbox) addPages(mux *http.ServeMux) {
	assets, _ := fs.Sub(webFiles, "web") // the folder is embedded above
	files := http.StripPrefix("/assets/", http.FileServerFS(assets))
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		mux.Handle("GET /assets/"+name, files)
	}
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

// siteCSP lets our pages load our own files and nothing else.
const siteCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// mailCSP is for a mail's HTML, which anybody may have written: it gets its
// own styles and embedded images. The sandbox directive holds even when the
// page is opened outside of our frame.
const mailCSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// secure sets the headers of all answers but SendGrid's.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", siteCSP)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-DNS-Prefetch-Control", "off")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
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
	p := page{Page: name, Title: title, Revision: s.feed.revision(), Counters: s.Counters(), FaultCount: len(s.Faults().Rules)}
	for _, n := range p.Counters.Refused {
		p.RefusedCount += n
	}
	return p
}

func (s *Sandbox) render(w http.ResponseWriter, status int, name string, data any) {
	var out strings.Builder
	if err := s.pages[name].Execute(&out, data); err != nil {
		s.log.Error().Err(err).Str("page", name).Msg("page not rendered")
		http.Error(w, "page not rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(out.String())) //nolint:errcheck // the client may have gone
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
	w.Header().Set("Content-Security-Policy", mailCSP)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write([]byte(m.Request().Body("text/html"))) //nolint:errcheck // the client may have gone
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
