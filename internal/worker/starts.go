package worker

import (
	"context"
	"sync"
	"time"
)

// starts bounds the mails between the announcement of an attempt and the end of its POST. There must be some more than
// can be at SendGrid's, so that posts do not wait for the ledger; but a mail that is announced and waits for its turn to
// be posted would be of unknown outcome if the process died, so there must not be many. How many more is learned: as
// many as are announced in the time of a post.
type starts struct {
	posts int // how many can be at SendGrid's

	mu          sync.Mutex // protects the fields below
	used        int
	limit       int
	waiting     []chan struct{}
	begin, post average
}

func newStarts(posts int) *starts { return &starts{posts: posts, limit: posts + extra(posts)} }

// extra is the least number of starts beyond the posts.
func extra(posts int) int { return posts/16 + 1 }

// maxStarts bounds what is learned.
func maxStarts(posts int) int { return 3 * posts }

// acquire waits for its turn, or returns false once ctx has ended.
func (s *starts) acquire(ctx context.Context) bool {
	s.mu.Lock()
	if s.used < s.limit && len(s.waiting) == 0 {
		s.used++
		s.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		s.leave(turn)
		return false
	}
}

// leave gives up a place in the row, or the turn that came meanwhile.
func (s *starts) leave(turn chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == turn {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
	s.used--
	s.admitLocked()
}

func (s *starts) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	s.admitLocked()
}

func (s *starts) admitLocked() {
	for s.used < s.limit && len(s.waiting) > 0 {
		s.used++
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

// learn takes in how long one attempt's announcement and its post took.
func (s *starts) learn(begin, post time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, p := s.begin.add(begin), s.post.add(post)
	more := float64(s.posts) * b / max(p, 1e-4) * 1.25
	s.limit = min(s.posts+extra(s.posts)+int(more), maxStarts(s.posts))
	s.admitLocked()
}

// average is of the latest hundred or so, in seconds.
type average struct{ seconds, weight float64 }

func (a *average) add(d time.Duration) float64 {
	a.weight = min(a.weight+1, 100)
	a.seconds += (d.Seconds() - a.seconds) / a.weight
	return a.seconds
}
