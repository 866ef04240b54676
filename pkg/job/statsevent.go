package job

import (
	"encoding/hex"
	"strings"
)

// signedPrefix begins the ID of an event in QueueStats whose POST SendGrid signed. Versions before it had none.
const signedPrefix = "signed-"

// StatsEventID is the ID of an event in QueueStats: 32 hexadecimal digits of a hash of its contents, and whether SendGrid
// signed them.
func StatsEventID(hash []byte, signed bool) string {
	id := hex.EncodeToString(hash[:16])
	if signed {
		id = signedPrefix + id
	}
	return id
}

// SignedEvents reports whether SendGrid signed the contents of an event in QueueStats.
func SignedEvents(eventID string) bool { return strings.HasPrefix(eventID, signedPrefix) }
