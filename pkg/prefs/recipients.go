package prefs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// byAddress answers for the addresses as they were given what was found under their keys.
func byAddress(addresses []string, byKey map[string]int64) map[string]int64 {
	result := map[string]int64{}
	for _, a := range addresses {
		if flags, ok := byKey[job.Key(a)]; ok {
			result[a] = flags
		}
	}
	return result
}

// byKey sorts addresses by their keys.
func byKey(addresses []string) map[string][]string {
	result := make(map[string][]string, len(addresses))
	for _, a := range addresses {
		key := job.Key(a)
		result[key] = append(result[key], a)
	}
	return result
}

// copiesOf are the ids under which copies of one recipient's document are kept.
func copiesOf(spelled []string) []string {
	var all []string
	for _, address := range spelled {
		all = append(all, copies(address)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// idsOf are the ids, beside its key, under which a recipient's document is written: where something is stored, and while
// there are opt-outs where copies belong.
func idsOf[V any](key string, stored map[string]V, restricts bool, copies []string) []string {
	ids := maps.Keys(stored)
	all := slices.DeleteFunc(slices.Collect(ids), func(id string) bool { return id == key })
	if restricts {
		all = append(all, copies...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A spread hands out incidents round by round: those of the addresses they happened to first, then the OptOuts among
// them for the recipients that Move led to from there, and so on. Each comes to a recipient once.
type spread struct {
	waiting []Incident
	seen    map[Incident]bool // by key
}

// incidentLists are incidents by the key of the address they happened to.
type incidentLists struct {
	byKey     map[string][]Incident
	addresses []string // sorted
}

func newSpread(incidents []Incident) *spread {
	return &spread{incidents, map[Incident]bool{}}
}

// next returns the incidents of a round, or nil after the last. Those of no address happened to nobody.
func (s *spread) next() *incidentLists {
	lists := &incidentLists{byKey: map[string][]Incident{}}
	addresses := map[string]bool{}
	for _, in := range s.waiting {
		key := job.Key(in.Address)
		seen := in
		seen.Address = key
		addresses[in.Address] = key != "" // another spelling may have a copy of its own
		if key == "" || s.seen[seen] {
			continue
		}
		s.seen[seen] = true
		lists.byKey[key] = append(lists.byKey[key], in)
	}
	s.waiting = nil
	if len(lists.byKey) == 0 {
		return nil
	}
	for _, a := range slices.Sorted(maps.Keys(addresses)) {
		if addresses[a] {
			lists.addresses = append(lists.addresses, a)
		}
	}
	return lists
}

// from puts up for the next round what d, which list happened to, passes on. It may be called again.
func (s *spread) from(list []Incident, d *document) {
	s.waiting = append(s.waiting, d.forwarded(list)...)
}

// available marks the errors of a database that is away with ErrUnavailable.
func available(err error) error {
	if database.Unavailable(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
