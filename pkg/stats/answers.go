package stats

import (
	"fmt"
	"strings"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// spellings are the ways to write a recipient that Last looks for: the one that was asked for, and in lower case. Both
// are found by the index; all spellings of the same address would not be.
func spellings(recipient string) []string {
	if folded := strings.ToLower(recipient); folded != recipient {
		return []string{recipient, folded}
	}
	return []string{recipient}
}

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
