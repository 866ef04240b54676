package hooks

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/archive"
	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/internal/unsubscribe/page"
	"github.com/levenlabs/postmaster/pkg/job"
)

// serveLink answers the unsubscribe link, if there is one.
func (h *handler) serveLink(cfg unsubscribe.Config, reg prometheus.Registerer) error {
	links := unsubscribe.New(cfg)
	if links == nil {
		return nil
	}
	h.linkPath = links.Path()
	link, err := page.New(links, h.optOut, h.log, reg)
	if err != nil {
		return err
	}
	h.link = link
	return nil
}

// optOut puts a one-click unsubscribe at the front of the queue of the events, where pm-worker's fold finds it, and into
// the archive. The same request at another time is another event: it may undo a preference that was set in between.
func (h *handler) optOut(ctx context.Context, r unsubscribe.Request) error {
	now := time.Now()
	raw, err := job.EncodeOneClick(r.Address, r.Flags, now)
	if err != nil {
		return err
	}
	b := &batch{}
	b.optOuts = b.split([][]byte{raw})
	if err := push(ctx, h.pusher, b, func(error) {}); err != nil {
		return err
	}
	h.file(archive.Post{At: now, Body: b.optOuts[0].Contents, OneClick: true})
	return nil
}
