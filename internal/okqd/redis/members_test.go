package redis

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/testenv"
)

func open(t *testing.T, r *testenv.RedisProcess, partitions int) (*Engine, error) {
	t.Helper()
	e, err := Open(Config{Addr: r.Addr, Partitions: partitions}, zerolog.Nop(), prometheus.NewRegistry())
	if err == nil {
		t.Cleanup(e.client.Close)
	}
	return e, err
}

func exec(t *testing.T, e *Engine, op engine.Op) engine.Op {
	t.Helper()
	ops := []engine.Op{op}
	e.Exec(t.Context(), ops, &engine.Room{Budget: 1 << 20})
	return ops[0]
}

func refusal(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range append(words, "--partitions") {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Fatalf("error %v, want one that says %q", err, word)
		}
	}
}

// Another --partitions is refused while anybody would look in vain for an event, and taken when all are gone.
func TestPartitionsChangeOnlyWhenNothingCanBeMissed(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	two, err := open(t, r, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, r, 3)
	refusal(t, err, "2 partitions", "stop those first")

	push := engine.Op{Kind: engine.Push, Queue: []byte("q"), ID: []byte("id"), Contents: []byte("x")}
	if op := exec(t, two, push); op.Err != nil {
		t.Fatal(op.Err)
	}
	two.members.leave()
	_, err = open(t, r, 3)
	refusal(t, err, "2 partitions", "not empty")

	again, err := open(t, r, 2)
	if err != nil {
		t.Fatal(err)
	}
	if op := exec(t, again, engine.Op{Kind: engine.Pop, Queue: []byte("q"), Count: 1}); len(op.Events) != 1 {
		t.Fatalf("the event is not there: %v", op.Err)
	}
	again.members.leave()
	if _, err := open(t, r, 3); err != nil {
		t.Errorf("with empty queues: %v", err)
	}
}

// Between the look at the queues and the change somebody may come, push, and go.
func TestPartitionsDoNotChangeIfSomebodyCameMeanwhile(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	two, err := open(t, r, 2)
	if err != nil {
		t.Fatal(err)
	}
	two.members.leave()
	three := newMembers(two.client, 3)
	have, alive, seen, err := three.ask(t.Context(), "")
	if err != nil || have != 2 || alive != 0 {
		t.Fatalf("%d partitions, %d alive, %v", have, alive, err)
	}
	if err := newMembers(two.client, 2).again(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.CLI("DEL", serversKey) // it has gone
	if have, _, _, err := three.ask(t.Context(), seen); err != nil || have != 2 {
		t.Errorf("%d partitions, %v", have, err)
	}
}

// An okqd that was out of reach for so long that the others changed the number does nothing more.
func TestOkqdThatMissedAChangeOfPartitionsEnds(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	two, err := open(t, r, 2)
	if err != nil {
		t.Fatal(err)
	}
	r.CLI("DEL", serversKey) // its time is over
	if _, err := open(t, r, 3); err != nil {
		t.Fatal(err)
	}
	two.members.heard = two.members.heard.Add(-aliveFor)
	op := exec(t, two, engine.Op{Kind: engine.Push, Queue: []byte("q"), ID: []byte("id")})
	if op.Err == nil || !strings.Contains(op.Err.Error(), "3 partitions, not 2") {
		t.Errorf("push: %v", op.Err)
	}
	if err := two.Run(t.Context()); err == nil {
		t.Error("it goes on")
	}
}
