package stats

import (
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A record keeps its recipient as the caller wrote it (r) and, only where that is not job.Key's spelling, the key too (rk).
// Records that an older version wrote get theirs by a back-fill. Its indexes are made last, and so tell that it was
// finished once: until then, records under spellings that are not those of job.Spellings are not found by recipient.

// recipientKey is what rk holds; empty: nothing.
func recipientKey(recipient string) string {
	if key := job.Key(recipient); key != recipient {
		return key
	}
	return ""
}

const (
	keyPage = 1000
	// keyRecent is how far back the back-fill looks once it was finished: an older process may have run beside us since.
	keyRecent = 48 * time.Hour
)
