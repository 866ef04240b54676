package okqdtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// askQueues returns what an autoscaler sees: the HTTP status and the JSON.
func askQueues(t *testing.T, srv *okqd.Server, query string) (status int, answer map[string]any) {
	t.Helper()
	rec := httptest.NewRecorder()
	srv.ServeQueues(rec, httptest.NewRequest(http.MethodGet, "/queues"+query, nil))
	if rec.Code == http.StatusOK {
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%q: %v", rec.Body, err)
		}
	}
	return rec.Code, answer
}

func TestAutoscalersAreToldTheBacklog(t *testing.T) {
	t.Parallel()
	srv := okqd.New(okqdtest.Config(t), zerolog.Nop(), prometheus.NewRegistry())
	if status, _ := askQueues(t, srv, ""); status != http.StatusServiceUnavailable {
		t.Errorf("before the engine is open: %d", status)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()

	w := dial(t, srv.Addr().String())
	for _, push := range [][]string{{"high", "1"}, {"normal", "1"}, {"normal", "2"}, {"stats", "1"}} {
		w.want("+OK", "QLPUSH", push[0], push[1], "x")
	}
	w.want("+OK", "QLPUSH", "normal", "3", "x", "DELAY", "3600000")
	w.want("*1", "QRPOP", "normal", "EX", "600", "COUNT", "1")
	for query, want := range map[string][4]float64{ // backlog ready leased delayed
		"":                          {4, 3, 1, 1},
		"?queue=high&queue=normal":  {3, 2, 1, 1},
		"?queue=stats":              {1, 1, 0, 0},
		"?queue=nobody-pushed-here": {0, 0, 0, 0},
	} {
		status, answer := askQueues(t, srv, query)
		got := [4]any{answer["backlog"], answer["ready"], answer["leased"], answer["delayed"]}
		if status != http.StatusOK || got != [4]any{want[0], want[1], want[2], want[3]} {
			t.Errorf("%q: %d %v, want %v", query, status, got, want)
		}
		if age, isNumber := answer["oldestReadySeconds"].(float64); !isNumber || age < 0 || want[1] == 0 && age != 0 {
			t.Errorf("%q: oldestReadySeconds is %v", query, answer["oldestReadySeconds"])
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if status, _ := askQueues(t, srv, ""); status != http.StatusServiceUnavailable {
		t.Errorf("after the engine was closed: %d", status)
	}
}
