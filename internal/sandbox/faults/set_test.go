package faults

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func pick(s *Set, to ...string) Fault { return s.Pick("shop@example.org", to).Rule.Fault }

func TestDiceFallTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (faults string, struck int) {
		s := NewSet(99)
		if err := s.Replace(Menu{Seed: seed, Rules: []Rule{Sometimes(TooMany, 0.3), Sometimes(ServerError, 0.2)}}); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			f := pick(s, "alex@example.com")
			if f != None {
				struck++
			}
			faults += string(f) + ","
		}
		return faults, struck
	}
	a, struck := run(7)
	if b, _ := run(7); a != b {
		t.Error("the same seed gave other faults")
	}
	if b, _ := run(8); a == b {
		t.Error("another seed gave the same faults")
	}
	if want := 440; struck < want-80 || struck > want+80 { // 0.3 + 0.7*0.2
		t.Errorf("%d of 1000 struck, want about %d", struck, want)
	}
}

func TestACountedRuleLeavesTheMenu(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	if err := s.Replace(Menu{Rules: []Rule{
		{Fault: Hang, Probability: 1, Count: 2, To: "Alex@example.com"}, Next(ServerError, 1), Always(TooMany),
	}}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []Fault{ServerError, TooMany} {
		if got := pick(s, "bob@example.com"); got != want {
			t.Errorf("request %d: %q, want %q", i, got, want)
		}
	}
	for i, want := range []Fault{Hang, Hang, TooMany} {
		if got := pick(s, "bob@example.com", "alex@example.com"); got != want {
			t.Errorf("request %d to alex: %q, want %q", i, got, want)
		}
	}
	if left := s.Menu().Rules; len(left) != 1 || left[0].Fault != TooMany {
		t.Errorf("menu %+v, want only the endless rule", left)
	}
}

func TestARuleForASenderStrikesNoOther(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	if err := s.Add(Rule{Fault: Refuse, Probability: 1, From: "Bad@example.org"}); err != nil {
		t.Fatal(err)
	}
	if got := s.Pick("bad@example.org", nil).Rule.Fault; got != Refuse {
		t.Errorf("its own: %q", got)
	}
	if got := s.Pick("good@example.org", nil).Rule.Fault; got != None {
		t.Errorf("another's: %q", got)
	}
}

func TestDelaysAddUpBeforeAFault(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	ms := func(n int) Duration { return Duration(time.Duration(n) * time.Millisecond) }
	if err := s.Replace(Menu{Rules: []Rule{
		{Fault: Latency, Probability: 1, Delay: ms(10)},
		{Fault: Latency, Probability: 1, Delay: ms(10), Jitter: ms(5)},
		{Fault: Unavailable, Probability: 1, Delay: ms(100)},
	}}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		strike := s.Pick("", nil)
		if strike.Rule.Fault != Unavailable || strike.Delay < 120*time.Millisecond || strike.Delay > 125*time.Millisecond {
			t.Fatalf("strike %+v, want a 503 after 120 to 125 ms", strike)
		}
	}
}

func TestRulesInJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, fault string }{
		{`{"rules":[{"fault":"429"}]}`, ""},
		{`{"seed":7,"rules":[{"fault":"latency","delay":"200ms","jitter":"1s","probability":0.5,"count":3}]}`, ""},
		{`{"rules":[{"fault":"teapot"}]}`, "fault must be one of"},
		{`{"rules":[{"fault":"429","probability":0}]}`, "probability"},
		{`{"rules":[{"fault":"429","probability":1.1}]}`, "probability"},
		{`{"rules":[{"fault":"429"},{"fault":"500","count":-1}]}`, "rules[1]: count"},
		{`{"rules":[{"fault":"latency"}]}`, "latency needs"},
		{`{"rules":[{"fault":"latency","delay":"fast"}]}`, `"fast" is not a duration`},
		{`{"rules":[{"fault":"latency","delay":"-1s"}]}`, "not be negative"},
		{`{"rules":[{"fault":"garbage","status":42}]}`, "status"},
		{`{"rules":[{"fault":"429","probabillity":0.1}]}`, "unknown field"},
	}
	for _, tt := range tests {
		var m Menu
		err := json.Unmarshal([]byte(tt.text), &m)
		if err == nil {
			err = NewSet(1).Replace(m)
		}
		if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("%s: %v, want %q", tt.text, err, tt.fault)
		}
	}
}

func TestAddKeepsTheRulesInForceWhenRefused(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	if err := s.Add(Next(TooMany, 5)); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(Rule{Fault: "teapot", Probability: 1}); err == nil {
		t.Error("an unknown fault was added")
	}
	if left := s.Menu().Rules; len(left) != 1 || left[0].Count != 5 {
		t.Errorf("menu %+v, want the one rule", left)
	}
}

func TestEveryRecipientRuleIsValid(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	for _, r := range Recipients() {
		if err := r.Rule.validate(); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		strike := s.Pick("", []string{r.Name + "+tag@example.com"})
		if r.Rule.Fault == Latency && strike.Delay == 0 || r.Rule.Fault != Latency && strike.Rule.Fault != r.Rule.Fault {
			t.Errorf("%s@: strike %+v, want %s", r.Name, strike, r.Rule.Fault)
		}
	}
}
