package console

import (
	"net/http"

	"github.com/levenlabs/postmaster/pkg/job"
)

type nowView struct {
	page
	standing
	Waiting, Dead, Workers int
	UnknownMore            bool // more than are counted
	HasStore               bool
	DeadStats              bool // all dead letters are of events
}

// pageNow is how the queues stand.
func (c *Console) pageNow(w http.ResponseWriter, r *http.Request) {
	v := nowView{page: c.page(r, "now", "Now"), HasStore: c.deps.Records != nil}
	v.standing = c.watch.look() // after the revision was read
	v.UnknownMore = v.Unknown >= maxUnknown
	for _, q := range v.Queues {
		switch q.Name {
		case job.QueueEmailHigh, job.QueueEmailNormal:
			v.Waiting += q.Total
			v.Workers = max(v.Workers, q.Consumers)
		case job.QueueEmailDead, job.QueueStatsDead:
			v.Dead += q.Total
			v.DeadStats = q.Total > 0 && v.Dead == q.Total && q.Name == job.QueueStatsDead
		}
	}
	c.render(w, http.StatusOK, "now", v)
}
