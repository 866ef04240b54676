package sandbox

import (
	"encoding/hex"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
	"github.com/levenlabs/postmaster/internal/sandbox/webhook"
)

// statsIDArg is the custom arg that names an email of postmaster's.
const statsIDArg = "pmStatsID"

// Counters count everything since the start, also what left the inbox.
type Counters struct {
	Requests   int64            `json:"requests"`   // to /v3/mail/send
	Accepted   int64            `json:"accepted"`   // mails taken, answered 202 or not at all
	Recipients int64            `json:"recipients"` // of those
	Validated  int64            `json:"validated"`  // sandbox_mode, answered 200
	Refused    map[int]int64    `json:"refused"`    // by status, faults aside
	Faults     map[string]int64 `json:"faults"`     // by the fault's name
	Events     map[Kind]int64   `json:"events"`
	Doubles    int64            `json:"doubles"` // acceptances beyond the first of a pmStatsID
	Webhook    webhook.Counts   `json:"webhook"`
}

// An Acceptance says how often an email was accepted, and when last.
type Acceptance struct {
	Count int
	Last  time.Time
}

// tally counts, and knows how often each pmStatsID was accepted, and when last. Ours are 24
// hex digits and are kept as 12 bytes, so that millions fit.
type tally struct {
	mu     sync.Mutex // protects the fields below
	counts Counters   // Webhook is filled in by the reader
	ids    map[[12]byte]accepted
	others map[string]accepted
}

type accepted struct {
	count uint32
	last  int64 // unix milliseconds
}

func (a accepted) again() accepted { return accepted{a.count + 1, time.Now().UnixMilli()} }

func newTally() *tally {
	return &tally{
		counts: Counters{Refused: map[int]int64{}, Faults: map[string]int64{}, Events: map[Kind]int64{}},
		ids:    map[[12]byte]accepted{},
		others: map[string]accepted{},
	}
}

// compact answers ok for what hex writes back the same.
func compact(id string) (key [12]byte, ok bool) {
	if len(id) != 24 {
		return key, false
	}
	if _, err := hex.Decode(key[:], []byte(id)); err != nil {
		return key, false
	}
	return key, hex.EncodeToString(key[:]) == id
}

func (t *tally) accepted(m *mailsend.Mail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Accepted++
	for i, p := range m.Personalizations {
		t.counts.Recipients += int64(len(p.To) + len(p.CC) + len(p.BCC))
		if id := m.Args(i)[statsIDArg]; id != "" && t.countLocked(id) > 1 {
			t.counts.Doubles++
		}
	}
}

func (t *tally) countLocked(id string) uint32 {
	if key, ok := compact(id); ok {
		t.ids[key] = t.ids[key].again()
		return t.ids[key].count
	}
	t.others[id] = t.others[id].again()
	return t.others[id].count
}

func (t *tally) times(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if key, ok := compact(id); ok {
		return int(t.ids[key].count)
	}
	return int(t.others[id].count)
}

// all are the ids accepted so far, in no order; what is accepted meanwhile
// waits for the copy only, not for the reader.
func (t *tally) all() iter.Seq2[string, Acceptance] {
	t.mu.Lock()
	ids, others := maps.Clone(t.ids), maps.Clone(t.others)
	t.mu.Unlock()
	return func(yield func(string, Acceptance) bool) {
		for key, a := range ids {
			if !yield(hex.EncodeToString(key[:]), Acceptance{int(a.count), time.UnixMilli(a.last)}) {
				return
			}
		}
		for id, a := range others {
			if !yield(id, Acceptance{int(a.count), time.UnixMilli(a.last)}) {
				return
			}
		}
	}
}

// update changes the counters.
func (t *tally) update(change func(*Counters)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.counts)
}

func (t *tally) event(k Kind) { t.update(func(c *Counters) { c.Events[k]++ }) }

func (t *tally) snapshot() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Refused, c.Faults, c.Events = maps.Clone(c.Refused), maps.Clone(c.Faults), maps.Clone(c.Events)
	return c
}
