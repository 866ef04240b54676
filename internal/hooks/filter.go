package hooks

import (
	"github.com/levenlabs/postmaster/pkg/job"
)

// Result is what became of an event.
type result int

const (
	accepted    result = iota
	notOurs            // without the custom argument that postmaster puts on its mails
	otherEnv           // of an environment that is not in --accept-env
	unknownType        // an event that SendGrid did not document when this was written
	account            // about the SendGrid account, and no mail
	bad                // not an object, or without an event name
	results            // how many there are
)

// resultNames are the values of the metric's label "result".
var resultNames = [results]string{"accepted", "not_ours", "other_env", "unknown_type", "account", "bad"}

// eventTypes are the values of the metric's label "type". The first stands for all that are not listed.
var eventTypes = [...]string{
	"other",
	job.EventProcessed, job.EventDeferred, job.EventDelivered, job.EventBounce, job.EventDropped, job.EventOpen,
	job.EventClick, job.EventSpamReport, job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventGroupResubscribe,
	job.EventAccountStatus,
}

// typeOther is the index of "other" in eventTypes.
const typeOther = 0

// A filter tells which events go on to pm-worker.
type filter struct {
	envs  map[string]bool
	types map[string]int // indexes of eventTypes
}

func newFilter(envs []string) filter {
	f := filter{envs: map[string]bool{}, types: map[string]int{}}
	for _, env := range envs {
		f.envs[env] = true
	}
	for i, name := range eventTypes {
		if i != typeOther {
			f.types[name] = i
		}
	}
	return f
}

// judge returns the event's type as an index of eventTypes, and what becomes of it.
func (f filter) judge(el *element) (int, result) {
	if len(el.event) == 0 {
		return typeOther, bad
	}
	typ := f.types[string(el.event)]
	switch {
	case eventTypes[typ] == job.EventAccountStatus:
		return typ, account
	case !el.ours():
		return typ, notOurs
	case !f.accepts(el.env):
		return typ, otherEnv
	case typ == typeOther:
		return typ, unknownType
	}
	return typ, accepted
}

func (f filter) accepts(env []byte) bool {
	if len(env) == 0 {
		return f.envs[job.DefaultEnv]
	}
	return f.envs[string(env)]
}

func (el *element) ours() bool {
	if len(el.statsID) > 0 {
		return job.ID(el.statsID).Valid()
	}
	return job.ID(el.oldStatsID).Valid()
}
