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
		b.w.complain(b.waiting, err, "read preferences")
		return nil
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
