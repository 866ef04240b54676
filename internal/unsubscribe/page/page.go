// Package page answers one-click unsubscribe (RFC 8058). A POST opts out: from a mail program, which shows nobody the
// answer, or from the page that a GET shows to someone who followed the link. A GET alone changes nothing, since mail
// scanners follow links.
package page

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/text/language"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
)

// OptOut returns nil once a request is on disk. It may be called again with the same one.
type OptOut func(context.Context, unsubscribe.Request) error

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// maxForm bounds a POST's body. Mail programs send 26 bytes of it.
const maxForm = 64 << 10

// Handler serves the link's path.
type Handler struct {
	links     *unsubscribe.Links
	optOut    OptOut
	log       zerolog.Logger
	template  *template.Template
	languages language.Matcher
	policy    string                 // Content-Security-Policy
	answered  *prometheus.CounterVec // by: ask (GET), page (its button), one_click (a mail program), other; status: of HTTP
}

// New makes the handler of links.
func New(links *unsubscribe.Links, optOut OptOut, log zerolog.Logger, reg prometheus.Registerer) (*Handler, error) {
	hash := sha256.Sum256([]byte(pageCSS))
	h := &Handler{
		links: links, optOut: optOut, log: log,
		template:  template.Must(template.New("page").Parse(pageHTML)),
		languages: language.NewMatcher(tags()),
		policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			base64.StdEncoding.EncodeToString(hash[:])),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pm_hooks_unsubscribe_requests_total", Help: "Requests for the unsubscribe link.",
		}, []string{"by", "status"}),
	}
	if err := reg.Register(h.answered); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return h, nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.ask(w, r)
	case http.MethodPost:
		h.post(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.plain(w, "other", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request) {
	t := h.texts(r)
	req, err := h.links.Open(r.URL.Query().Get(unsubscribe.QueryToken))
	if err != nil {
		h.page(w, "ask", http.StatusBadRequest, view{Text: t, Title: t.InvalidTitle, Message: t.Invalid})
		return
	}
	h.page(w, "ask", http.StatusOK, view{Text: t, Title: t.AskTitle, Message: t.Ask, Address: parts(req.Address), Ask: true})
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := errors.Join(r.ParseForm(), multipart(r)); err != nil {
		h.plain(w, "other", http.StatusBadRequest)
		return
	}
	status, req := h.apply(r)
	if r.PostForm.Get("page") == "" {
		h.plain(w, "one_click", status)
		return
	}
	v := view{Text: h.texts(r)}
	switch status {
	case http.StatusOK:
		v.Title, v.Message, v.Address = v.Text.DoneTitle, v.Text.Done, parts(req.Address)
	case http.StatusServiceUnavailable:
		v.Title, v.Message, v.Address, v.Ask = v.Text.UnavailableTitle, v.Text.TryAgain, parts(req.Address), true
	default:
		v.Title, v.Message = v.Text.InvalidTitle, v.Text.Invalid
	}
	h.page(w, "page", status, v)
}

// multipart reads the other encoding that RFC 8058 allows, if it is that. All of a form fits into memory.
func multipart(r *http.Request) error {
	if err := r.ParseMultipartForm(maxForm); !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// apply opts out, and returns the status to answer with.
func (h *Handler) apply(r *http.Request) (int, unsubscribe.Request) {
	req, err := h.links.Open(r.URL.Query().Get(unsubscribe.QueryToken))
	if err != nil {
		return http.StatusBadRequest, req
	}
	if err := h.optOut(r.Context(), req); err != nil {
		h.log.Warn().Err(err).Msg("unsubscribe not queued")
		return http.StatusServiceUnavailable, req
	}
	h.log.Debug().Str("recipient", req.Address).Int64("flags", req.Flags).Msg("unsubscribed")
	return http.StatusOK, req
}

// texts returns what to say in the language that the browser asks for.
func (h *Handler) texts(r *http.Request) texts {
	_, i := language.MatchStrings(h.languages, r.Header.Get("Accept-Language"))
	return translations[i]
}

// A view is what the template shows.
type view struct {
	Text           texts
	Title, Message string
	Address        []string // its parts around the @, where a narrow screen may break it
	Ask            bool
}

func parts(address string) []string { return strings.Split(address, "@") }

// Style is the page's own style sheet, which the policy allows by its hash.
func (view) Style() template.CSS { return template.CSS(pageCSS) }

func (h *Handler) page(w http.ResponseWriter, by string, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Text.Lang)
	w.Header().Set("Vary", "Accept-Language")
	h.head(w, by, status)
	if err := h.template.Execute(w, v); err != nil {
		h.log.Debug().Err(err).Msg("page not sent")
	}
}

// plain answers a program.
func (h *Handler) plain(w http.ResponseWriter, by string, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	h.head(w, by, status)
	fmt.Fprintln(w, http.StatusText(status))
}

func (h *Handler) head(w http.ResponseWriter, by string, status int) {
	h.answered.WithLabelValues(by, strconv.Itoa(status)).Inc()
	w.Header().Set("Content-Security-Policy", h.policy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address of this page is a key
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
}
