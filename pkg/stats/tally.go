package stats

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A Tally is how many mails that SendGrid has are alike in their flags and in what became of them.
type Tally struct {
	EmailFlags int64
	StateFlags int64
	Mails      int
}

// idOf is the least of the IDs that jobs of that second get.
func idOf(t time.Time) job.ID {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(t.Unix()))
	return job.ID(hex.EncodeToString(b[:]))
}
