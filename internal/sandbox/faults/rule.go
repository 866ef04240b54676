package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Menu is a set of rules with the seed of their dice.
type Menu struct {
	Seed  uint64 `json:"seed,omitempty"`
	Rules []Rule `json:"rules"`
}

// Rule strikes some requests with a fault. Rules are tried in order: each
// latency that strikes adds up, the first other fault that strikes ends it.
type Rule struct {
	Fault       Fault    `json:"fault"`
	Probability float64  `json:"probability"`           // above 0, up to 1; in JSON 1 if left out
	Count       int      `json:"count,omitempty"`       // strikes left, then the rule leaves the menu; 0: no end
	To          string   `json:"to,omitempty"`          // only requests with this recipient
	From        string   `json:"from,omitempty"`        // only requests from this sender
	Delay       Duration `json:"delay,omitempty"`       // of latency, and before any other fault
	Jitter      Duration `json:"jitter,omitempty"`      // up to this much more, by dice
	Status      int      `json:"status,omitempty"`      // of garbage (500) and refuse (403)
	Message     string   `json:"message,omitempty"`     // of refuse
	HTML        bool     `json:"html,omitempty"`        // 5xx and refuse: a proxy's page instead of JSON
	ResetAfter  Duration `json:"reset_after,omitempty"` // 429: how far ahead X-RateLimit-Reset is (1s)
}

// Always, Sometimes and Next make the plain rules.
func Always(f Fault) Rule { return Rule{Fault: f, Probability: 1} }

// Sometimes strikes by dice.
func Sometimes(f Fault, probability float64) Rule { return Rule{Fault: f, Probability: probability} }

// Next strikes the next n requests.
func Next(f Fault, n int) Rule { return Rule{Fault: f, Probability: 1, Count: n} }

// maxRules bounds what each request has to go through.
const maxRules = 100

// Validate joins all that is wrong.
func (m Menu) Validate() error {
	if len(m.Rules) > maxRules {
		return fmt.Errorf("rules: at most %d", maxRules)
	}
	var errs []error
	for i, r := range m.Rules {
		if err := r.validate(); err != nil {
			errs = append(errs, fmt.Errorf("rules[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (r Rule) validate() error {
	switch {
	case !r.Fault.known():
		return fmt.Errorf("fault must be one of %q", All())
	case !(r.Probability > 0 && r.Probability <= 1): // NaN too
		return errors.New("probability must be above 0 and at most 1")
	case r.Count < 0:
		return errors.New("count must not be negative")
	case r.Delay < 0 || r.Jitter < 0 || r.ResetAfter < 0:
		return errors.New("delay, jitter and reset_after must not be negative")
	case r.Fault == Latency && r.Delay == 0 && r.Jitter == 0:
		return errors.New("latency needs a delay or a jitter")
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return errors.New("status must be between 200 and 599")
	}
	return nil
}

// UnmarshalJSON makes a rule without probability strike always.
func (r *Rule) UnmarshalJSON(text []byte) error {
	type plain Rule
	p := plain{Probability: 1}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a misspelt field would silently strike always
	if err := d.Decode(&p); err != nil {
		return err
	}
	*r = Rule(p)
	return nil
}

// Duration is written as Go writes them: "200ms".
type Duration time.Duration

// MarshalText is encoding.TextMarshaler's.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is encoding.TextUnmarshaler's.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 200ms or 1.5s", text)
	}
	*d = Duration(parsed)
	return nil
}
