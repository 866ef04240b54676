package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync"
)

// idSource makes message ids and event ids, the same in every run with the
// same seed that makes them in the same order.
type idSource struct {
	mu     sync.Mutex // protects the fields below
	random *rand.ChaCha8
	events uint64
}

func newIDSource(seed uint64) *idSource {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return &idSource{random: rand.NewChaCha8(s)}
}

// message is 22 characters, as SendGrid's.
func (s *idSource) message() string {
	var b [16]byte
	s.mu.Lock()
	s.random.Read(b[:])
	s.mu.Unlock()
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// event is unique because the message id and the running number are.
func (s *idSource) event(kind, messageID string) string {
	s.mu.Lock()
	s.events++
	n := s.events
	s.mu.Unlock()
	return base64.RawURLEncoding.EncodeToString([]byte(kind + "-" + strconv.FormatUint(n, 10) + "-" + messageID))
}
