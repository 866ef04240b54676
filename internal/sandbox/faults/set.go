package faults

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Strike is what a request gets: a delay, then a fault if there is one.
type Strike struct {
	Delay time.Duration
	Rule  Rule // Rule.Fault is None when the request is treated as usual
}

// Set holds the rules in force.
type Set struct {
	recipients map[string]Rule
	seed       uint64 // when a menu has none

	mu     sync.Mutex // protects the fields below
	menu   Menu
	random *rand.Rand
	struck map[string]int // by address, for the recipients that fail some times only
}

// maxStruck bounds struck; beyond it the counts start anew.
const maxStruck = 100_000

// NewSet has an empty menu. Menus without a seed of their own use seed.
func NewSet(seed uint64) *Set {
	s := &Set{recipients: make(map[string]Rule), seed: seed, struck: make(map[string]int)}
	for _, r := range Recipients() {
		s.recipients[r.Name] = r.Rule
	}
	s.Clear()
	return s
}

// Replace puts a menu in force; its dice start from its seed.
func (s *Set) Replace(m Menu) error {
	if err := m.Validate(); err != nil {
		return err
	}
	m.Rules = append([]Rule{}, m.Rules...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.menu = m
	seed := m.Seed
	if seed == 0 {
		seed = s.seed
	}
	s.random = rand.New(rand.NewPCG(seed, seed))
	return nil
}

// Add puts one more rule at the end of the menu.
func (s *Set) Add(r Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := Menu{Rules: append(append([]Rule{}, s.menu.Rules...), r), Seed: s.menu.Seed}
	if err := m.Validate(); err != nil {
		return err
	}
	s.menu = m
	return nil
}

// Clear empties the menu.
func (s *Set) Clear() { _ = s.Replace(Menu{}) } // an empty menu is valid

// Menu is a copy of what is in force, with the counts that are left.
func (s *Set) Menu() Menu {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.menu
	m.Rules = append([]Rule{}, m.Rules...)
	return m
}

// Pick decides about one request: the menu first, then its recipients.
func (s *Set) Pick(from string, recipients []string) Strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	var strike Strike
	for i := 0; i < len(s.menu.Rules); i++ {
		rule := s.menu.Rules[i]
		if !rule.concerns(from, recipients) || rule.Probability < 1 && s.random.Float64() >= rule.Probability {
			continue
		}
		if s.spendLocked(i) {
			i--
		}
		if s.strikeLocked(&strike, rule) {
			return strike
		}
	}
	for _, email := range recipients {
		rule, times, ok := byRecipient(s.recipients, email)
		if ok && s.oftenEnoughLocked(email, times) && s.strikeLocked(&strike, rule) {
			return strike
		}
	}
	return strike
}

func (r Rule) concerns(from string, recipients []string) bool {
	if r.From != "" && !strings.EqualFold(from, r.From) {
		return false
	}
	if r.To == "" {
		return true
	}
	for _, email := range recipients {
		if strings.EqualFold(email, r.To) {
			return true
		}
	}
	return false
}

// strikeLocked answers true when the fault ends the request.
func (s *Set) strikeLocked(strike *Strike, rule Rule) bool {
	strike.Delay += time.Duration(rule.Delay)
	if rule.Jitter > 0 {
		strike.Delay += time.Duration(s.random.Int64N(int64(rule.Jitter) + 1))
	}
	if rule.Fault == Latency {
		return false
	}
	strike.Rule = rule
	return true
}

// spendLocked counts a strike of rule i down, and answers true when that was
// its last and it left the menu.
func (s *Set) spendLocked(i int) (gone bool) {
	rule := &s.menu.Rules[i]
	if rule.Count == 0 {
		return false
	}
	rule.Count--
	if rule.Count > 0 {
		return false
	}
	s.menu.Rules = append(s.menu.Rules[:i], s.menu.Rules[i+1:]...)
	return true
}

func (s *Set) oftenEnoughLocked(email string, times int) bool {
	if times == 0 {
		return true
	}
	if len(s.struck) >= maxStruck {
		clear(s.struck)
	}
	s.struck[email]++
	return s.struck[email] <= times
}
