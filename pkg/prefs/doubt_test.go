package prefs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/pkg/prefs"
)

// TestClockAheadSpendsNoLaterOptOut: a pm-api whose clock is ahead gives the word, and the recipient unsubscribes after it.
func TestClockAheadSpendsNoLaterOptOut(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		for i, ahead := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute, 10 * time.Minute} {
			a := fmt.Sprintf("a%d@example.com", i)
			old := out(a, 4, noon.Add(-time.Second))
			record(t, s, old)
			setFlags(t, s, a, 1, noon.Add(ahead))
			record(t, s, old)
			wantFlags(t, s, a, 1) // known when the word was given, whatever its time
			record(t, s, out(a, 4, noon.Add(time.Second)))
			wantFlags(t, s, a, 4)
		}
	})
}

// TestWordSpendsOnlyWhatItWasAbout: an opt-out that was on its way counts, unless the word allowed this very kind.
func TestWordSpendsOnlyWhatItWasAbout(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		const a = "a@example.com"
		setFlags(t, s, a, 2, noon)
		setFlags(t, s, a, 1, noon.Add(time.Hour))
		setFlags(t, s, a, 8, noon.Add(2*time.Hour))
		record(t, s, out(a, 4, noon.Add(-time.Hour)))
		wantFlags(t, s, a, 4|8)
		record(t, s, out(a, 2, noon.Add(-time.Hour)))
		wantFlags(t, s, a, 4|8) // clearly before kind 2 was allowed again
	})
}

func TestLostOptOutsAreCounted(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		const a = "a@example.com"
		lost := func(incidents ...prefs.Incident) int {
			n, err := s.Record(t.Context(), incidents)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := lost(out(a, 4, noon), out("b@example.com", 4, noon)); n != 0 {
			t.Errorf("%d opt-outs lost, want none", n)
		}
		setFlags(t, s, a, 1, noon.Add(time.Hour))
		if n := lost(out(a, 4, noon.Add(-time.Minute)), out("b@example.com", 4, noon), out(a, 8, noon)); n != 1 {
			t.Errorf("%d opt-outs lost, want that of kind 4", n)
		}
	})
}

// TestMovedAddressKeepsItsOptOuts: email to the old address may be queued.
func TestMovedAddressKeepsItsOptOuts(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "old@example.com", 4, noon)
		record(t, s, out("old@example.com", 8, noon))
		move(t, s, "old@example.com", "new@example.com")
		wantFlags(t, s, "old@example.com", 4|8)
		wantFlags(t, s, "new@example.com", 4|8)
	})
}

// TestOptOutFoldedAfterTheMoveCountsForBoth, even if there was nothing to move, and further along.
func TestOptOutFoldedAfterTheMoveCountsForBoth(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		move(t, s, "new@example.com", "newest@example.com")
		move(t, s, "old@example.com", "new@example.com")
		move(t, s, "newest@example.com", "old@example.com") // and round again
		wantFlags(t, s, "old@example.com", 0)
		record(t, s, out("Old@example.com", 4, noon), in("old@example.com", 4, noon.Add(-time.Second)))
		for _, a := range []string{"old@example.com", "new@example.com", "newest@example.com"} {
			wantFlags(t, s, a, 4)
		}
		about, err := s.About(t.Context(), "nobody@example.com")
		if err != nil || !about.Updated.IsZero() {
			t.Errorf("of nobody: %+v, %v", about, err)
		}
	})
}

// TestRepeatedOptOutOfTheOldAddressDoesNotUndoTheWordAtTheNew.
func TestRepeatedOptOutOfTheOldAddressDoesNotUndoTheWordAtTheNew(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		before := out("old@example.com", 4, noon)
		record(t, s, before)
		move(t, s, "old@example.com", "new@example.com")
		after := out("old@example.com", 4, noon.Add(time.Minute))
		record(t, s, after)
		setFlags(t, s, "new@example.com", 1, noon.Add(2*time.Minute))
		record(t, s, before, after)
		wantFlags(t, s, "new@example.com", 1)
		wantFlags(t, s, "old@example.com", 4)
	})
}

// TestOptOutWithoutATimeCountsAsOfItsArrival, and an opt-in without one, or from the future, does not count.
func TestOptOutWithoutATimeCountsAsOfItsArrival(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		const a = "a@example.com"
		setFlags(t, s, a, 4, noon)
		setFlags(t, s, a, 1, noon.Add(time.Minute))
		record(t, s, out(a, 4, time.Time{}))
		wantFlags(t, s, a, 4)
		record(t, s, in(a, 4, time.Time{}), in(a, 4, time.Now().AddDate(1, 0, 0)))
		wantFlags(t, s, a, 4)
	})
}

// TestOptOutFoldedAfterTheMoveOutlivesOlderWords at the new address, as it would have if it had been folded before.
func TestOptOutFoldedAfterTheMoveOutlivesOlderWords(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		setFlags(t, s, "new@example.com", 4, noon.Add(time.Hour))
		setFlags(t, s, "new@example.com", 1, noon.Add(2*time.Hour))
		move(t, s, "old@example.com", "new@example.com")
		late := out("old@example.com", 4, noon)
		record(t, s, late)
		wantFlags(t, s, "new@example.com", 4)
		setFlags(t, s, "new@example.com", 1, time.Now().Add(time.Hour))
		record(t, s, late)
		wantFlags(t, s, "new@example.com", 1)
	})
}

// A history of one recipient with two addresses, both with two spellings. True time goes on by seconds and hours; the
// clock of each pm-api is up to five minutes wrong, and events are folded late, repeatedly and in any order.
type doubtful struct {
	rt     *rapid.T
	s      prefs.Store
	prefix string
	step   int
	hours  int
	events []prefs.Incident
	facts  []fact
	lastIn map[string]map[int64]int // by address and bit: the step of the last word that allowed it
}

// A fact is an opt-out that must be respected at an address unless a word allowed the kind after it.
type fact struct {
	address string
	bit     int64
	step    int
	event   bool
}

var bothAddresses = []string{"a", "b"}

func (h *doubtful) now() time.Time {
	return noon.Add(time.Duration(h.hours)*time.Hour + time.Duration(h.step)*7*time.Second)
}

func (h *doubtful) spell(address string) string {
	domain := rapid.SampledFrom([]string{"xn--bcher-kva.example", "bücher.example", "BÜCHER.example"}).Draw(h.rt, "spelling")
	return h.prefix + address + "@" + domain
}

func (h *doubtful) address() string { return rapid.SampledFrom(bothAddresses).Draw(h.rt, "address") }
func (h *doubtful) bit() int64      { return rapid.SampledFrom([]int64{2, 4}).Draw(h.rt, "bit") }

func (h *doubtful) must(err error) {
	if err != nil {
		h.rt.Fatal(err)
	}
}

func (h *doubtful) add(f fact) {
	h.facts = append(h.facts, f)
}

// isAlive tells whether no word at the fact's own address has come after it.
func (h *doubtful) isAlive(f fact) bool { return f.step > h.lastIn[f.address][f.bit] }

func (h *doubtful) unsubscribe(moves map[string]string) {
	a, bit := h.address(), h.bit()
	h.events = append(h.events, out(h.spell(a), bit, h.now()))
	h.add(fact{a, bit, h.step, true})
	if to, ok := moves[a]; ok {
		h.add(fact{to, bit, h.step, true})
	}
}

func (h *doubtful) word(t *testing.T) {
	a := h.address()
	flags := rapid.SampledFrom([]int64{1, 2, 4, 6}).Draw(h.rt, "flags")
	wrong := time.Duration(rapid.IntRange(-300, 300).Draw(h.rt, "clock")) * time.Second
	before := h.flags(t, a)
	h.must(h.s.SetFlags(t.Context(), h.spell(a), flags, h.now().Add(wrong)))
	for _, bit := range []int64{2, 4} {
		if flags&bit == 0 && before&bit == 0 {
			continue // it is not about this kind
		}
		if flags&bit == 0 {
			h.lastIn[a][bit] = h.step
		} else {
			h.add(fact{a, bit, h.step, false})
		}
	}
}

func (h *doubtful) move(t *testing.T, moves map[string]string) {
	a := h.address()
	to := bothAddresses[1-slices.Index(bothAddresses, a)]
	wrong := time.Duration(rapid.IntRange(-300, 300).Draw(h.rt, "clock")) * time.Second
	h.must(h.s.Move(t.Context(), h.spell(a), h.spell(to), h.now().Add(wrong)))
	moves[a] = to
	for _, f := range slices.Clone(h.facts) {
		if f.address == a && h.isAlive(f) {
			h.add(fact{to, f.bit, h.step, false})
		}
	}
}

func (h *doubtful) fold(t *testing.T, incidents []prefs.Incident) {
	if len(incidents) == 0 {
		return
	}
	_, err := h.s.Record(t.Context(), incidents)
	h.must(err)
}

func (h *doubtful) flags(t *testing.T, address string) int64 {
	var spelled []string
	for _, domain := range []string{"xn--bcher-kva.example", "bücher.example"} {
		spelled = append(spelled, h.prefix+address+"@"+domain)
	}
	got, err := h.s.Flags(t.Context(), spelled)
	h.must(err)
	if got[spelled[0]] != got[spelled[1]] {
		h.rt.Fatalf("flags of two spellings: %v", got)
	}
	return got[spelled[0]]
}

// TestOptOutIsRespectedWhereInDoubt: whatever the order, repetition and interleaving of words, moves and events, an
// opt-out that no later word of the recipient allowed holds; and a word ends what was known.
func TestOptOutIsRespectedWhereInDoubt(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			h := &doubtful{rt: rt, s: s, prefix: fmt.Sprintf("%d.", round), lastIn: map[string]map[int64]int{"a": {}, "b": {}}}
			moves := map[string]string{}
			steps := rapid.IntRange(3, 12).Draw(rt, "steps")
			for h.step = 1; h.step <= steps; h.step++ {
				switch rapid.SampledFrom([]string{"unsubscribe", "word", "move", "fold", "wait"}).Draw(rt, "step") {
				case "unsubscribe":
					h.unsubscribe(moves)
				case "word":
					h.word(t)
				case "move":
					h.move(t, moves)
				case "wait":
					h.hours++
				case "fold":
					if len(h.events) > 0 {
						h.fold(t, rapid.SliceOfN(rapid.SampledFrom(h.events), 1, 3).Draw(rt, "folded"))
					}
				}
			}
			if len(h.events) > 0 {
				h.fold(t, rapid.Permutation(h.events).Draw(rt, "order"))
			}
			for _, f := range h.facts {
				if h.isAlive(f) && h.flags(t, f.address)&f.bit == 0 {
					rt.Fatalf("%s is not opted out of %d: %+v, last allowed at %v", f.address, f.bit, f, h.lastIn)
				}
			}
			for range 2 { // what was in doubt the first time, and counted, is known the second
				for _, a := range bothAddresses {
					h.must(s.SetFlags(t.Context(), h.spell(a), 1, h.now()))
				}
				h.fold(t, h.events)
			}
			for _, a := range bothAddresses {
				if flags := h.flags(t, a); flags > 1 {
					rt.Fatalf("flags of %s are %d after the recipient allowed everything", a, flags)
				}
			}
		})
	})
}
