package worker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// permit drops what its recipients do not want, by one query for all. A mail whose recipient (to) opted out of its
// kinds is not sent to anybody; one whose cc or bcc did goes to the others.
func (b *batch) permit(mails []*mail) []*mail {
	if b.w.deps.Prefs == nil || len(mails) == 0 {
		return mails
	}
	asked := time.Now()
	optedOut, err := b.w.flags(b.waiting, addressesOf(mails))
	if err != nil {
		return b.oneByOne(mails, err, "read preferences", b.permit)
	}
	return b.each(mails, func(m *mail) bool {
		if !m.allowed(optedOut, asked) {
			b.beside(m, func(m *mail) { b.drop(m, optedOutVeto) })
			return false
		}
		return true
	})
}

var (
	optedOutVeto = veto{stats.OptedOut, "opted out"}
	expiredVeto  = veto{stats.Expired, "expired"}
)

// allowed applies preferences that were read at a time.
func (m *mail) allowed(optedOut map[string]int64, asked time.Time) bool {
	e := m.email
	m.asked = asked
	refuses := func(address string) bool { return !job.Allowed(optedOut[address], e.Flags) }
	e.CC = slices.DeleteFunc(e.CC, func(a job.Address) bool { return refuses(a.Email) })
	e.BCC = slices.DeleteFunc(e.BCC, func(a job.Address) bool { return refuses(a.Email) })
	return !refuses(e.To)
}

// askAgain is the age from which on preferences are read again right before the attempt, so that an opt-out is heeded that
// was recorded two seconds before the POST.
const askAgain = time.Second

// A veto is why an email is not to be sent after all.
type veto struct {
	state stats.State
	why   string
}

// vetoed looks again, right before an attempt, at what may have changed while the email waited for its turn.
func (b *batch) vetoed(ctx context.Context, m *mail) (*veto, error) {
	if m.email.Expired(time.Now()) {
		return &expiredVeto, nil
	}
	if b.w.deps.Prefs == nil || time.Since(m.asked) < askAgain {
		return nil, nil
	}
	asked := time.Now()
	optedOut, err := b.w.asks.do(ctx, addressesOf([]*mail{m}))
	switch {
	case err != nil:
		return nil, err
	case !m.allowed(optedOut, asked):
		return &optedOutVeto, nil
	case m.email.Expired(time.Now()):
		return &expiredVeto, nil
	}
	return nil, nil
}

// readFlags is what the group of vetoed does.
func (w *Worker) readFlags(ctx context.Context, addresses [][]string) ([]map[string]int64, error) {
	flags, err := w.flags(ctx, slices.Concat(addresses...))
	return slices.Repeat([]map[string]int64{flags}, len(addresses)), err
}

// oneByOne repeats a step whose call to a store failed over one of the emails, for each of them alone, so that only that
// one waits. Without any left but that one, it is released with a growing delay.
func (b *batch) oneByOne(mails []*mail, err error, what string, step func([]*mail) []*mail) (kept []*mail) {
	if b.waiting.Err() != nil {
		return nil // stopped: all are released
	}
	if len(mails) == 1 {
		b.w.complain(b.waiting, err, what)
		b.w.later(b.jobs, mails[0], backoff(mails[0].Deliveries))
		return nil
	}
	for _, m := range mails {
		kept = append(kept, step([]*mail{m})...)
	}
	return kept
}

// flags reads preferences, a bounded number at a time.
func (w *Worker) flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	const most = 1000
	all := make(map[string]int64)
	for some := range slices.Chunk(addresses, most) {
		err := w.stored(ctx, "flags", func(ctx context.Context) error {
			flags, err := w.deps.Prefs.Flags(ctx, some)
			maps.Copy(all, flags)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func addressesOf(mails []*mail) []string {
	seen := make(map[string]bool, len(mails))
	for _, m := range mails {
		seen[m.email.To] = true
		for _, a := range m.email.CC {
			seen[a.Email] = true
		}
		for _, a := range m.email.BCC {
			seen[a.Email] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}
