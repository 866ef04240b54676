package worker

import (
	"sync"
	"time"
)

// starts bounds the mails between the announcement of an attempt and the end of its POST, and posts those that are being
// posted. There must be some more of the former, so that posts do not wait for the ledger; but a mail that is announced
// and waits for its turn to be posted would be of unknown outcome if the process died, so there must not be many. How many
// more is learned: as many as are announced in the time of a post.
//
// What is learned also says how many mails to take from the queues, and whether places are to be kept for mails of high
// priority.
type starts struct {
	*places
	posts       *places
	concurrency int

	learning    sync.Mutex // protects the averages
	begin, post average
}

// slowPost is the time of a post from which on places are kept: until then one is free soon enough.
const slowPost = 150 * time.Millisecond

func newStarts(concurrency int) *starts {
	s := &starts{places: newPlaces(0), posts: newPlaces(0), concurrency: concurrency}
	s.resizeLocked()
	return s
}

// extra is the least number of starts beyond the posts.
func extra(posts int) int { return posts/16 + 1 }

// reserve is how many places are kept for mails of high priority. With fewer than ten there is none to spare.
func reserve(posts int) int {
	if posts < 10 {
		return 0
	}
	return extra(posts)
}

// maxStarts bounds what is learned.
func maxStarts(posts int) int { return 3 * posts }

// learn takes in how long one attempt's announcement and its post took.
func (s *starts) learn(begin, post time.Duration) {
	s.learning.Lock()
	defer s.learning.Unlock()
	s.begin.add(begin)
	s.post.add(post)
	s.resizeLocked()
}

func (s *starts) resizeLocked() {
	more := 0.0
	if s.post.weight > 0 {
		more = float64(s.concurrency) * s.begin.seconds / max(s.post.seconds, 1e-4) * 1.25
	}
	kept := 0
	if s.post.weight == 0 || s.post.seconds > slowPost.Seconds() {
		kept = reserve(s.concurrency)
	}
	s.resize(min(s.concurrency+extra(s.concurrency)+int(more), maxStarts(s.concurrency)), kept)
	s.posts.resize(s.concurrency, kept)
}

// hand is how many mails to have of a queue: what is being sent, and half a second's work, so that the places are filled
// again while mails are looked up, announced and settled, which takes some three calls to the store. More would only wait
// here while preferences change. It is at most what is enough for a SendGrid that answers at once.
func (s *starts) hand() int {
	s.learning.Lock()
	defer s.learning.Unlock()
	n := float64(s.concurrency)
	if s.post.weight == 0 {
		n *= 1.5
	} else {
		n *= 1 + (0.5+3*s.begin.seconds)/max(s.post.seconds, 1e-3)
	}
	return min(max(int(n), s.concurrency+extra(s.concurrency)), mostInHand(s.concurrency))
}

// mostInHand is enough for the store to take as long as a SendGrid that answers at once.
func mostInHand(concurrency int) int { return 4*concurrency + batchSize }

// average is of the latest hundred or so, in seconds.
type average struct{ seconds, weight float64 }

func (a *average) add(d time.Duration) {
	a.weight = min(a.weight+1, 100)
	a.seconds += (d.Seconds() - a.seconds) / a.weight
}
