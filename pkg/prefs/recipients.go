package prefs

import (
	"fmt"

	"github.com/levenlabs/postmaster/pkg/database"
)

// byAddress answers for the addresses as they were given what was found under their keys.
func byAddress(addresses []string, byKey map[string]int64) map[string]int64 {
	result := map[string]int64{}
	for _, a := range addresses {
		if flags, ok := byKey[Key(a)]; ok {
			result[a] = flags
		}
	}
	return result
}

// byRecipient sorts incidents by the key of the address they happened to. One of no address happened to nobody.
func byRecipient(incidents []Incident) map[string][]Incident {
	result := map[string][]Incident{}
	for _, in := range incidents {
		key := Key(in.Address)
		if key == "" {
			continue
		}
		result[key] = append(result[key], in)
	}
	return result
}

// available marks the errors of a database that is away with ErrUnavailable.
func available(err error) error {
	if database.Unavailable(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
