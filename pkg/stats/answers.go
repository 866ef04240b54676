package stats

import (
	"fmt"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// checkIDs returns an error if any of them cannot be a mail's.
func checkIDs(ids ...job.ID) error {
	for _, id := range ids {
		if !id.Valid() {
			return fmt.Errorf("%w: bad email id %q", database.ErrDocument, id)
		}
	}
	return nil
}

// count tells the events of known mails from the others.
func count(events []job.Event, known map[job.ID]bool) FoldResult {
	var result FoldResult
	for _, e := range events {
		if known[e.StatsID] {
			result.Folded++
		} else {
			result.Unknown++
		}
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
