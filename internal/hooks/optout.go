package hooks

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/internal/unsubscribe/page"
	"github.com/levenlabs/postmaster/pkg/job"
)

// serveLink answers the unsubscribe link, if there is one.
func (h *handler) serveLink(cfg unsubscribe.Config, reg prometheus.Registerer) error {
	links, err := unsubscribe.New(cfg)
	if err != nil || links == nil {
		return err
	}
	h.linkPath = links.Path()
	h.link, err = page.New(links, h.optOut, h.log, reg)
	return err
}

// optOut puts a one-click unsubscribe into the queue of the events, where pm-worker's fold finds it. The same request
// at another time is another event: it may undo a preference that was set in between.
func (h *handler) optOut(ctx context.Context, r unsubscribe.Request) error {
	raw, err := job.EncodeOneClick(r.Address, r.Flags, time.Now())
	if err != nil {
		return err
	}
	var b batch
	b.add(raw, len(raw))
	b.close()
	return push(ctx, h.pusher, b.events)
}
