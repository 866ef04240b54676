package sandbox

import (
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// Refusal is a request that was answered with an error of its own making,
// not with a fault from the menu.
type Refusal struct {
	At     time.Time        `json:"at"`
	Status int              `json:"status"`
	Issues []mailsend.Issue `json:"errors"`
}

// maxRefusals is how many are remembered.
const maxRefusals = 20

// refusals remembers the newest, for who wonders where a mail is.
type refusals struct {
	mu     sync.Mutex // protects newest
	newest []Refusal  // newest last
}

func (r *refusals) add(status int, issues []mailsend.Issue) {
	const enough = 5 // issues of one request
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest = append(r.newest, Refusal{At: time.Now(), Status: status, Issues: issues[:min(enough, len(issues))]})
	if len(r.newest) > maxRefusals {
		r.newest = append(r.newest[:0], r.newest[1:]...)
	}
}

func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Refusal{}, r.newest...)
}
