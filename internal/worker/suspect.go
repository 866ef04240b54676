package worker

import "math/rand/v2"

// suspicious is how many deliveries without a record in the ledger make a job a suspect: it, or another of the same
// worker, keeps killing the process before anything is written. With a small --max-deliveries it is the last but one.
func (c *Config) suspicious() int { return min(3, c.MaxDeliveries-1) }

// maxDeliveries bounds deliveries without a record. Without a ledger none has one, and each of them was an attempt.
func (w *Worker) maxDeliveries() int {
	if w.deps.Stats == nil {
		return max(w.cfg.MaxDeliveries, w.cfg.MaxAttempts)
	}
	return w.cfg.MaxDeliveries
}

// split takes the suspects out. They are handled after all others, one at a time in the whole process and in random
// order: so each time about half of those that only shared a hand with the culprit get through, and the culprit ends as
// a dead letter when --max-deliveries are used up.
// Without a ledger there is no telling.
func (b *batch) split(mails []*mail) (rest, suspects []*mail) {
	if b.w.deps.Stats == nil {
		return mails, nil
	}
	rest = b.each(mails, func(m *mail) bool {
		if m.email == nil && m.rec == nil && m.Deliveries > b.w.cfg.suspicious() {
			suspects = append(suspects, m)
			return false
		}
		return true
	})
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	return rest, suspects
}

// alone sees one suspect through.
func (b *batch) alone(m *mail) {
	select {
	case b.w.suspects <- struct{}{}:
		defer func() { <-b.w.suspects }()
	case <-b.waiting.Done():
		return
	}
	b.send(b.prepare([]*mail{m}))
	b.wg.Wait()
}
