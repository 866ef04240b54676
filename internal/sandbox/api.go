package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

const (
	maxAPIBody   = 1 << 20
	defaultLimit = 100
)

// addAPI registers the JSON API, which does over HTTP what the methods of
// Sandbox do in Go.
func (s *Sandbox) addAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/mails", s.apiMails)
	mux.HandleFunc("DELETE /api/mails", s.apiDeleteMails)
	mux.HandleFunc("GET /api/mails/{id}", s.apiMail)
	mux.HandleFunc("GET /api/mails/{id}/events", s.apiEvents)
	mux.HandleFunc("POST /api/mails/{id}/events", s.apiMakeEvent)
	mux.HandleFunc("GET /api/accepted", s.apiAllAccepted)
	mux.HandleFunc("GET /api/accepted/{id}", s.apiAccepted)
	mux.HandleFunc("GET /api/counters", s.apiCounters)
	mux.HandleFunc("GET /api/refused", s.apiRefused)
	mux.HandleFunc("GET /api/faults", s.apiFaults)
	mux.HandleFunc("PUT /api/faults", s.apiSetFaults)
	mux.HandleFunc("DELETE /api/faults", s.apiClearFaults)
	mux.HandleFunc("GET /api/webhook", s.apiWebhook)
	mux.HandleFunc("PUT /api/webhook", s.apiSetWebhook)
	mux.Handle("GET /api/stream", s.feed)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client may have gone
}

func apiError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

// readJSON answers false after it wrote the error.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAPIBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.Decode(&struct{}{}) != io.EOF {
		err = errors.New("more than one JSON value")
	}
	if err != nil {
		apiError(w, http.StatusBadRequest, fmt.Errorf("body: %w", err))
		return false
	}
	return true
}

func (s *Sandbox) apiMails(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			apiError(w, http.StatusBadRequest, errors.New("limit must be a number above 0"))
			return
		}
		limit = n
	}
	found, kept := s.inbox.find(Filter{To: q.Get("to"), StatsID: q.Get("stats_id"), Text: q.Get("q"), Limit: limit})
	if found == nil {
		found = []Mail{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"mails": found, "kept": kept})
}

func (s *Sandbox) apiDeleteMails(w http.ResponseWriter, _ *http.Request) {
	s.DeleteMails()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) apiMail(w http.ResponseWriter, r *http.Request) {
	m, ok := s.Mail(r.PathValue("id"))
	if !ok {
		apiError(w, http.StatusNotFound, ErrNoMail)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Mail
		Request json.RawMessage `json:"request"` // as it was sent
	}{m, m.Body})
}

func (s *Sandbox) apiEvents(w http.ResponseWriter, r *http.Request) {
	m, ok := s.Mail(r.PathValue("id"))
	if !ok {
		apiError(w, http.StatusNotFound, ErrNoMail)
		return
	}
	writeJSON(w, http.StatusOK, m.Events)
}

func (s *Sandbox) apiMakeEvent(w http.ResponseWriter, r *http.Request) {
	var req EventRequest
	if !readJSON(w, r, &req) {
		return
	}
	n, err := s.MakeEvent(r.PathValue("id"), req)
	switch {
	case errors.Is(err, ErrNoMail):
		apiError(w, http.StatusNotFound, err)
	case err != nil:
		apiError(w, http.StatusBadRequest, err)
	default:
		writeJSON(w, http.StatusAccepted, map[string]int{"recipients": n})
	}
}

// apiAllAccepted streams one JSON object a line; ?min=2 is the doubles only.
func (s *Sandbox) apiAllAccepted(w http.ResponseWriter, r *http.Request) {
	least, err := strconv.Atoi(r.URL.Query().Get("min"))
	if err != nil {
		least = 1
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 64<<10)
	defer out.Flush() //nolint:errcheck // the client may have gone
	for id, a := range s.AllAccepted() {
		if a.Count < least {
			continue
		}
		line := append(appendString([]byte(`{"id":`), id), `,"count":`...)
		line = append(strconv.AppendInt(line, int64(a.Count), 10), `,"last":`...)
		if _, err := out.Write(append(strconv.AppendInt(line, a.Last.UnixMilli(), 10), "}\n"...)); err != nil {
			return
		}
	}
}

func (s *Sandbox) apiAccepted(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	writeJSON(w, http.StatusOK, map[string]any{"id": id, "count": s.Accepted(id)})
}

func (s *Sandbox) apiCounters(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Counters())
}

func (s *Sandbox) apiRefused(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.refusals.list())
}

func (s *Sandbox) apiFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Faults())
}

func (s *Sandbox) apiSetFaults(w http.ResponseWriter, r *http.Request) {
	var m faults.Menu
	if !readJSON(w, r, &m) {
		return
	}
	if err := s.setMenu(m); err != nil {
		apiError(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, s.Faults())
}

func (s *Sandbox) apiClearFaults(w http.ResponseWriter, _ *http.Request) {
	s.ClearFaults()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) apiWebhook(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"url": s.hook.URL(), "public_key": s.publicKey})
}

func (s *Sandbox) apiSetWebhook(w http.ResponseWriter, r *http.Request) {
	var req struct {
		URL string `json:"url"`
	}
	if !readJSON(w, r, &req) {
		return
	}
	if err := s.SetWebhookURL(req.URL); err != nil {
		apiError(w, http.StatusBadRequest, err)
		return
	}
	s.apiWebhook(w, r)
}
