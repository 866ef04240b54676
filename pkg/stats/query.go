package stats

import (
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A Query asks for records, the newest first. Each way to ask has its index: of a recipient (in any
// spelling), of a unique ID (then recipient by recipient), of both, or of no more than those whose outcome is
// unknown. Asked for nothing, it is all of them, by the time in their IDs.
type Query struct {
	Recipient string
	UniqueID  string
	Unknown   bool    // alone: mails that SendGrid may have, and that no event proved
	Before    *Record // go on after the last record of the page before; not with a unique ID alone
	Limit     int
}

// all tells whether nothing is asked for.
func (q *Query) all() bool { return q.Recipient == "" && q.UniqueID == "" && !q.Unknown }

// firstID is what the IDs of all records asked for are less than. IDs that were derived for jobs of 0.4.0 have any time:
// those from a day ahead on are left out, which is most of them.
func (q *Query) firstID() job.ID {
	if q.Before != nil {
		return q.Before.ID
	}
	return idOf(time.Now().Add(24 * time.Hour))
}

// merge makes one answer of several, which may hold the same records.
func merge(found []*entry, limit int) []*Record {
	seen := map[job.ID]bool{}
	found = slices.DeleteFunc(found, func(e *entry) bool {
		again := seen[e.ID]
		seen[e.ID] = true
		return again
	})
	slices.SortStableFunc(found, func(a, b *entry) int {
		if a.after(&b.Record) {
			return -1
		}
		return 1
	})
	return shown(found[:min(limit, len(found))])
}

func shown(found []*entry) []*Record {
	records := make([]*Record, len(found))
	for i, e := range found {
		records[i] = e.shown()
	}
	return records
}
