package worker

import (
	"context"
	"maps"
	"slices"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// permit drops what its recipients do not want, by one query for all. A mail whose recipient (to) opted out of its
// kinds is not sent to anybody; one whose cc or bcc did goes to the others.
func (b *batch) permit(mails []*mail) []*mail {
	if b.w.deps.Prefs == nil || len(mails) == 0 {
		return mails
	}
	optedOut, err := b.w.flags(b.waiting, addressesOf(mails))
	if err != nil {
		return b.oneByOne(mails, err, "read preferences", b.permit)
	}
	return b.each(mails, func(m *mail) bool {
		e := m.email
		refuses := func(address string) bool { return !job.Allowed(optedOut[address], e.Flags) }
		if refuses(e.To) {
			b.beside(m, func(m *mail) { b.w.drop(b.jobs, m, stats.OptedOut, "opted out") })
			return false
		}
		e.CC = slices.DeleteFunc(e.CC, func(a job.Address) bool { return refuses(a.Email) })
		e.BCC = slices.DeleteFunc(e.BCC, func(a job.Address) bool { return refuses(a.Email) })
		return true
	})
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
