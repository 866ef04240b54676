package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // layout.lua
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"github.com/rs/zerolog"
)

//go:embed layout.lua
var layoutSource string

// aliveFor is how long an okqd is believed alive that is not heard of.
const aliveFor = 30 * time.Second

// members sees to it that all okqd of one Redis agree on --partitions: one that looked for events in other partitions
// than they are in would not find them.
type members struct {
	client     rueidis.Client
	name       string
	partitions int

	mu       sync.Mutex // protects the fields below
	heard    time.Time  // when we were last let in
	tried    time.Time
	no       error  // we are not, for good
	queueSet string // the queues' identity; at first, what it is to be if they have none
}

func newMembers(client rueidis.Client, partitions int) *members {
	return &members{client: client, name: rand.Text(), partitions: partitions, queueSet: rand.Text()}
}

// enter lets this okqd in. If the queues are in another number of partitions, it does so only if empty finds nothing
// in any of those.
func (m *members) enter(ctx context.Context, empty func(ctx context.Context, partitions int) (bool, error)) error {
	have, alive, seen, err := m.ask(ctx, "")
	if err != nil || have == m.partitions {
		return err
	}
	refusal := fmt.Errorf("--partitions %d: the queues in this Redis are in %d partitions", m.partitions, have)
	if alive > 0 {
		return fmt.Errorf("%w, and %d okqd are serving them; stop those first", refusal, alive)
	}
	none, err := empty(ctx, have)
	if err != nil {
		return err
	}
	if !none {
		return fmt.Errorf("%w and not empty; run okqd with --partitions %d until they are", refusal, have)
	}
	if have, _, _, err = m.ask(ctx, seen); err == nil && have != m.partitions {
		return fmt.Errorf("%w, and somebody has begun to use them", refusal)
	}
	return err
}

// ask asks to be let in, and notes it if so.
func (m *members) ask(ctx context.Context, found string) (have, alive int, seen string, err error) {
	began := time.Now()
	eval := m.client.B().Eval().Script(layoutSource).Numkeys(2).Key(serversKey, layoutKey).
		Arg(m.name, fmt.Sprint(m.partitions), millis(aliveFor), found, m.identity()).Build()
	reply, err := m.client.Do(ctx, eval).ToArray()
	if err == nil && len(reply) != 4 {
		err = errReply
	}
	if err != nil {
		return 0, 0, "", fmt.Errorf("redis: %w", err)
	}
	a, errA := reply[0].AsInt64()
	b, errB := reply[1].AsInt64()
	seen, errC := reply[2].ToString()
	id, errD := reply[3].ToString()
	if errA != nil || errB != nil || errC != nil || errD != nil {
		return 0, 0, "", fmt.Errorf("redis: %w", errReply)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if int(a) == m.partitions {
		m.heard, m.queueSet = began, id
	}
	return int(a), int(b), seen, nil
}

// again asks again. A Redis that cannot be asked lets nobody else in either.
func (m *members) again(ctx context.Context) error {
	have, _, _, err := m.ask(ctx, "")
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if have != m.partitions {
		m.no = fmt.Errorf("the queues have been spread over %d partitions, not %d, while this okqd was not heard of", have, m.partitions)
	}
	return nil
}

// stillIn is asked before anything is done to a queue: one that was not heard of for long has to ask first.
func (m *members) stillIn(ctx context.Context) error {
	m.mu.Lock()
	now, no := time.Now(), m.no
	ask := now.Sub(m.heard) > aliveFor*2/3 && now.Sub(m.tried) > time.Second
	if ask {
		m.tried = now
	}
	m.mu.Unlock()
	if ask && no == nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		m.again(ctx) //nolint:errcheck // see there
		return m.refused()
	}
	return no
}

// identity is that of the queues. A Redis that lost it, with all else, gets it back from the okqd that know it.
func (m *members) identity() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queueSet
}

func (m *members) refused() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.no
}

// beat says regularly that we are alive, until ctx ends or we are not let in any more.
func (m *members) beat(ctx context.Context, log zerolog.Logger) error {
	for m.refused() == nil && sleep(ctx, aliveFor/3) {
		if err := m.again(ctx); err != nil {
			log.Warn().Err(err).Msg("not known as alive")
		}
	}
	return m.refused()
}

func (m *members) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	m.client.Do(ctx, m.client.B().Zrem().Key(serversKey).Member(m.name).Build())
}
