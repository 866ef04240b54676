package redis

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// stateOf is an event's state and until when, or false.
func stateOf(t *testing.T, e *Engine, queue, id string) (engine.Found, bool) {
	t.Helper()
	ops := []engine.Op{{Kind: engine.Find, Queue: []byte(queue), ID: []byte(id)}}
	e.Exec(t.Context(), ops, &engine.Room{Budget: 1 << 20})
	if ops[0].Err != nil {
		t.Fatal(ops[0].Err)
	}
	return ops[0].Found, len(ops[0].Events) == 1
}

// TestAMoveAcrossSlotsThatIsKilledLosesNothing leaves off after each of its steps.
func TestAMoveAcrossSlotsThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	e, err := Open(Config{Addr: testenv.StartRedis(t).Addr, Partitions: 1}, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	defer func() { cancel(); <-done }()
	e.cluster = true // as on one: each step is a call of its own
	exec := func(op engine.Op) engine.Op {
		t.Helper()
		ops := []engine.Op{op}
		e.Exec(t.Context(), ops, &engine.Room{Budget: 1 << 20})
		return ops[0]
	}
	from := run{queue: "from"}
	id := []byte("id")
	move := engine.Op{Kind: engine.Move, Queue: []byte("from"), ID: id, To: []byte("to"), NewID: id, Keep: true}

	exec(engine.Op{Kind: engine.Push, Queue: []byte("from"), ID: id, Contents: []byte("x")})
	claimed, err := e.one(t.Context(), from, "claim", "id", "", millis(claimFor)).ToArray()
	if err != nil || len(claimed) != 3 {
		t.Fatalf("claim: %v %v", claimed, err)
	}
	if found, there := stateOf(t, e, "from", "id"); !there || found.State != engine.Leased || found.Due > claimFor {
		t.Errorf("killed after the claim: %+v %v", found, there)
	}
	if op := exec(engine.Op{Kind: engine.Remove, Queue: []byte("from"), ID: id}); op.OK {
		t.Error("removed by another meanwhile")
	}
	exec(engine.Op{Kind: engine.Push, Queue: []byte("to"), ID: id, Contents: []byte("x")})
	if op := exec(move); op.Err != engine.ErrDuplicate { // the same move again
		t.Errorf("killed after the push: %+v", op.Result)
	}
	if found, there := stateOf(t, e, "from", "id"); !there || found.State != engine.Leased || found.Due > claimFor {
		t.Errorf("killed after the push: %+v %v", found, there)
	}

	exec(engine.Op{Kind: engine.Ack, Queue: []byte("to"), ID: id})
	if op := exec(move); !op.OK || op.Err != nil { // takes over what the killed one had claimed
		t.Errorf("repeated: %+v", op.Result)
	}
	if _, there := stateOf(t, e, "from", "id"); there {
		t.Error("it is still where it was")
	}
	if _, there := stateOf(t, e, "to", "id"); !there {
		t.Error("it is not where it was moved to")
	}
	if op := exec(move); op.OK || op.Err != nil {
		t.Errorf("moved twice: %+v", op.Result)
	}

	// Onto an event that is there, nothing is done.
	exec(engine.Op{Kind: engine.Push, Queue: []byte("from"), ID: id, Contents: []byte("x"), Delay: time.Hour})
	if op := exec(move); op.Err != engine.ErrDuplicate {
		t.Errorf("onto an event that is there: %+v", op.Result)
	}
	if found, there := stateOf(t, e, "from", "id"); !there || found.State != engine.Delayed {
		t.Errorf("refused: %+v %v", found, there)
	}
}
