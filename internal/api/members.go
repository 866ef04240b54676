package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// enqueueMembers are the names of Enqueue's params.
var enqueueMembers = append(jsonNames(reflect.TypeFor[job.Email]()), "strict")

// laterMembers are those of a later version. An email that needs them must not go out without.
var laterMembers = []string{
	"asmGroupsToDisplay", "bypassSuppressions", "contents", "mailSettings", "needs", "replyToList", "stream", "substitutions",
	"toList", "trackingSettings", "uniqueFor",
}

const maxWarnings = 10

// plainMembers are the names, quoted, that need no look at their values. Most emails have no others.
var plainMembers = func() map[string]bool {
	plain := map[string]bool{}
	for _, name := range enqueueMembers {
		if name != "strict" && name != "sendAt" && name != "sendBefore" {
			plain[`"`+name+`"`] = true
		}
	}
	return plain
}()

// enqueueParams is what is known of Enqueue's params before they are decoded.
type enqueueParams struct {
	weight
	heaviest []byte // name, quoted, of the member with the most values, or of the one that is nested too deep
	strict   bool
	unknown  []string // names that no method knows
}

// readMembers looks at each member of Enqueue's params. A time that is written as RFC 3339 becomes the unix seconds that
// a worker reads, in its place: raw keeps its length.
func readMembers(raw []byte) (enqueueParams, error) {
	var (
		p    enqueueParams
		most int
		err  error
	)
	quotedMembers(raw, func(quoted, value []byte) {
		w := weigh(value)
		p.values += w.values
		if w.values > most && p.depth <= maxNesting || w.depth > max(p.depth, maxNesting) {
			most, p.heaviest = w.values, quoted
		}
		p.depth = max(p.depth, w.depth)
		if err == nil && !plainMembers[string(quoted)] {
			err = p.readMember(memberName(quoted), value)
		}
	})
	return p, err
}

func (p *enqueueParams) heaviestName() string {
	if p.heaviest == nil {
		return "params"
	}
	return short(memberName(p.heaviest))
}

func (p *enqueueParams) readMember(name string, value []byte) error {
	switch {
	case strings.EqualFold(name, "strict"):
		if err := json.Unmarshal(value, &p.strict); err != nil {
			return &job.FieldError{Field: "strict", Reason: "must be true or false"}
		}
	case strings.EqualFold(name, "sendAt"):
		return writeSeconds("sendAt", value)
	case strings.EqualFold(name, "sendBefore"):
		return writeSeconds("sendBefore", value)
	case containsFold(enqueueMembers, name):
	case slices.Contains(laterMembers, name):
		return &job.FieldError{Field: name, Reason: "is not in this version"}
	case len(p.unknown) < maxWarnings:
		p.unknown = append(p.unknown, short(name))
	}
	return nil
}

// writeSeconds puts unix seconds in the place of an RFC 3339 string, with spaces after them.
func writeSeconds(field string, value []byte) error {
	if value[0] != '"' {
		return nil
	}
	at, err := time.Parse(time.RFC3339, memberName(value))
	if err != nil || at.Unix() < 0 {
		return &job.FieldError{Field: field, Reason: "must be unix seconds, or a time such as \"2026-12-24T08:00:00Z\""}
	}
	n := copy(value, strconv.FormatInt(at.Unix(), 10))
	for i := n; i < len(value); i++ {
		value[i] = ' '
	}
	return nil
}

// warnings says what is wrong with the unknown members.
func (p *enqueueParams) warnings() []string {
	var all []string
	for _, name := range p.unknown {
		all = append(all, fmt.Sprintf("unknown member %q", name)+meant(name))
	}
	return all
}

// refusal is the error of a strict call that has unknown members, or nil.
func (p *enqueueParams) refusal() error {
	if !p.strict || len(p.unknown) == 0 {
		return nil
	}
	return &job.FieldError{Field: p.unknown[0], Reason: "is an unknown member" + meant(p.unknown[0])}
}

// meant says which member was probably meant, if any.
func meant(name string) string {
	for _, known := range enqueueMembers {
		if similar(name, known) {
			return fmt.Sprintf(": did you mean %q?", known)
		}
	}
	return ""
}

func short(name string) string {
	const longest = 64
	if len(name) > longest {
		return strings.ToValidUTF8(name[:longest], "") + "…"
	}
	return name
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

// similar reports whether two names differ by case, separators or at most one letter, of short names by none.
func similar(a, b string) bool {
	a, b = strings.ToLower(separators.Replace(a)), strings.ToLower(separators.Replace(b))
	return a == b || min(len(a), len(b)) > 3 && oneEdit(a, b)
}

// oneEdit reports whether one letter more, less, other, or swapped with the next makes b of a.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		if i == len(a) || a[i+1:] == b[i+1:] {
			return true
		}
		return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// jsonNames returns the names of a struct's fields in JSON.
func jsonNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
