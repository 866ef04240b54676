// Package label makes metric labels of queue names. Clients choose those, so there may be any number of them, and any
// bytes in them.
package label

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"
)

// A Set gives each queue a label of its own until there are Max; Other is for the rest.
type Set struct {
	mu     sync.RWMutex // protects labels
	labels map[string]string
}

const (
	Max   = 1000
	Other = "(other)"
	// MaxLength is where a name is cut in its label. A hash of the whole keeps labels apart.
	MaxLength = 128
)

// Of returns the queue's label.
func (s *Set) Of(queue string) string {
	s.mu.RLock()
	label, ok := s.labels[queue]
	s.mu.RUnlock()
	if ok {
		return label
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.labels) >= Max {
		return Other
	}
	if s.labels == nil {
		s.labels = make(map[string]string)
	}
	label = queue
	if len(queue) > MaxLength {
		sum := sha256.Sum256([]byte(queue))
		label = fmt.Sprintf("%s...%x", queue[:MaxLength], sum[:4])
	}
	if !utf8.ValidString(label) {
		label = strconv.Quote(label)
	}
	s.labels[queue] = label
	return label
}
