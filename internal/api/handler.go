package api

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/connlimit"
)

// ServeHTTP answers one POST, on any path. It is no http.ServeMux, which would redirect paths like "//" and "/a/../b".
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	id := requestID(r.Header)
	w.Header().Set("X-Request-Id", id)
	log := s.log.With().Str("request_id", id).Logger()
	status, size := s.serve(w, r, id, &log)
	if s.cfg.AccessLog {
		log.Info().Str("addr", r.RemoteAddr).Int("status", status).Int("bytes", size).
			Dur("took_ms", time.Since(began)).Msg("request")
	}
}

// serve answers and returns the HTTP status and the size of the request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, id string, log *zerolog.Logger) (status, size int) {
	if r.Method == http.MethodGet && r.URL.Path == openRPCPath {
		writeJSON(w, http.StatusOK, openRPC)
		return http.StatusOK, 0
	}
	if refused := s.refuse(w, r); refused != nil {
		s.metrics.refused(refused.status)
		refused.write(w, r)
		return refused.status, 0
	}
	conn := connlimit.Of(r)
	if len(s.tokens) > 0 {
		conn.Admit()
	}
	body, release, err := s.bodies.read(w, r)
	defer release()
	if err != nil {
		return s.unread(w, err, id), 0
	}
	conn.Admit()
	s.metrics.bodyBytes.Observe(float64(len(body.bytes)))
	answer, done := s.answer(s.deps.Tracer.Caller(r.Context(), r.Header), body, log)
	defer done()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent, len(body.bytes)
	}
	writeJSON(w, http.StatusOK, answer)
	return http.StatusOK, len(body.bytes)
}

// unread answers a request whose body could not be had.
func (s *Server) unread(w http.ResponseWriter, err error, requestID string) int {
	status := http.StatusBadRequest
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		status = http.StatusRequestTimeout
	case errors.Is(err, errBusy):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	s.metrics.refused(status)
	s.refusals.Warn().Str("request_id", requestID).Err(err).Int("status", status).Msg("request not read")
	connlimit.Refuse(w)
	if status == http.StatusServiceUnavailable {
		writeJSON(w, status, appendError(nil, null, errBusy))
		return status
	}
	http.Error(w, http.StatusText(status), status)
	return status
}

// A client has answerTime, and more for a large answer, to read it: those that do not hold its memory.
const (
	answerTime = 10 * time.Second
	answerPace = 64 << 10 // bytes per second
)

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	if len(body) > smallBody { // smaller ones fit into the connection's own buffers
		deadline := time.Now().Add(answerTime + time.Duration(len(body)/answerPace)*time.Second)
		_ = http.NewResponseController(w).SetWriteDeadline(deadline) // without it the server's own holds
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone does not need it
}

// validJSON: JSON is UTF-8. encoding/json would put U+FFFD in the place of what is not, and a mail would say something
// that its sender never wrote. What jsontext is told to allow is what encoding/json does: a name twice, where the last one
// stands, and half a surrogate pair as an escape.
func validJSON(body []byte) bool {
	return utf8.Valid(body) && jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
