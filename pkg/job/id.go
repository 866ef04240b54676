package job

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// An ID names one email for life: the okq event, the ledger's document and SendGrid's custom argument pmStatsID all
// carry it. It is a MongoDB ObjectID in 24 hex digits: 4 bytes of unix seconds, then 8 random ones.
type ID string

// NewID returns an ID that no other call in any process returns: 64 of its bits are random.
func NewID() ID {
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(time.Now().Unix()))
	rand.Read(b[4:]) // never fails: crypto/rand aborts the process instead
	return ID(hex.EncodeToString(b[:]))
}

// DeriveID returns the ID of a job that was queued without one, as postmaster 0.4.0 did: always the same for the
// same okq event, so that a redelivery finds its own ledger entry. An event ID that is itself an ID is kept.
func DeriveID(eventID string) ID {
	if id := ID(eventID); id.Valid() {
		return id
	}
	sum := sha256.Sum256([]byte(eventID))
	return ID(hex.EncodeToString(sum[:12]))
}

// Valid tells whether id is 24 lower-case hex digits.
func (id ID) Valid() bool {
	if len(id) != 24 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Time is when the ID was made, to the second. It means nothing for a derived ID.
func (id ID) Time() time.Time {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) != 12 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
}
