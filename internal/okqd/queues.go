package okqd

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// queuesView is the answer of ServeQueues: the queues one by one, and together.
type queuesView struct {
	queueView
	Queues []queueView `json:"queues"`
}

type queueView struct {
	Queue              string  `json:"queue,omitempty"`
	Backlog            int     `json:"backlog"` // ready and leased: what somebody has to work on now
	Ready              int     `json:"ready"`
	Leased             int     `json:"leased"`
	Delayed            int     `json:"delayed"`
	OldestReadySeconds float64 `json:"oldestReadySeconds"`
}

func viewOf(row engine.Row) queueView {
	return queueView{
		Queue: row.Queue, Backlog: row.Ready + row.Leased, Ready: row.Ready, Leased: row.Leased, Delayed: row.Delayed,
		OldestReadySeconds: row.OldestReady.Seconds(),
	}
}

// ServeQueues tells autoscalers, as JSON, what waits in the queues that the parameter queue names (repeatable), or in
// all of them.
func (s *Server) ServeQueues(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), statusTimeout)
	defer cancel()
	var names [][]byte
	for _, name := range r.URL.Query()["queue"] {
		names = append(names, []byte(name))
	}
	err := s.Ready(ctx)
	var rows []engine.Row
	if err == nil {
		rows, err = queueRows(ctx, s.engine, names)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	view := queuesView{Queues: []queueView{}}
	var all engine.Row
	for _, row := range rows {
		view.Queues = append(view.Queues, viewOf(row))
		all = sum(all, row)
	}
	view.queueView = viewOf(all)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(view) // an error is the client's having gone
}
