package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// take removes what is due from the schedule: a refused batch alone, or
// events up to the size of one POST. It answers nil when there is nothing.
func (p *Poster) take(now time.Time) *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &batch{born: now, timestamp: strconv.FormatInt(now.Unix(), 10)}
	for len(p.schedule) > 0 && !p.schedule[0].due.After(now) {
		if p.schedule[0].batch != nil {
			if len(b.events) == 0 {
				return p.schedule.next().batch
			}
			break
		}
		if len(b.events) >= p.cfg.MaxBatchEvents || len(b.body) >= p.cfg.MaxBatchBytes {
			break
		}
		e := p.schedule.next().event
		if e.json == nil {
			e.json = e.event.Render(now)
			p.counts.Events++
		}
		b.add(e)
	}
	if len(b.events) == 0 {
		return nil
	}
	if p.cfg.Shuffle {
		p.shuffleLocked(b)
	}
	b.body = append(b.body, "]\r\n"...)
	return b
}

func (b *batch) add(e *pending) {
	if len(b.events) == 0 {
		b.body = append(b.body, '[')
	} else {
		b.body = append(b.body, ",\r\n"...)
	}
	b.body = append(b.body, e.json...)
	b.events = append(b.events, e)
}

func (p *Poster) shuffleLocked(b *batch) {
	events := b.events
	p.order.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	b.body, b.events = b.body[:0], nil
	for _, e := range events {
		b.add(e)
	}
}

// deliver posts b once; a refused batch goes back into the schedule.
func (p *Poster) deliver(ctx context.Context, b *batch) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	if target == nil {
		p.finish(b, 0, ErrNoWebhook)
		return
	}
	b.tries++
	status, err := p.post(ctx, target, b)
	if ctx.Err() != nil {
		return // stopping: nobody waits for these events any more
	}
	accepted := status >= 200 && status < 300
	if !accepted {
		p.log.Warn().Err(err).Int("status", status).Int("attempt", b.tries).
			Int("events", len(b.events)).Msg("webhook refused, will retry")
	}
	p.finish(b, status, err)
}

// finish counts an answer, tells the events, and decides about a retry.
func (p *Poster) finish(b *batch, status int, err error) {
	for _, e := range b.events {
		e.event.Answered(status, err)
	}
	n := len(b.events)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == ErrNoWebhook {
		p.buffered -= n
		return
	}
	p.counts.Posts++
	if status >= 200 && status < 300 {
		p.buffered -= n
		p.counts.Delivered += int64(n)
		return
	}
	p.counts.Refused++
	pause := p.pause(b.tries)
	if time.Since(b.born)+pause > p.cfg.RetryFor {
		p.buffered -= n
		p.counts.Lost += int64(n)
		return
	}
	p.addLocked(item{due: time.Now().Add(pause), batch: b})
}

// pause doubles with each try and is jittered by a fifth, so that batches
// refused together do not come back together.
func (p *Poster) pause(tries int) time.Duration {
	d := p.cfg.RetryMin
	for i := 1; i < tries && d < p.cfg.RetryMax; i++ {
		d *= 2
	}
	d = min(d, p.cfg.RetryMax)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

func (p *Poster) post(ctx context.Context, target *url.URL, b *batch) (status int, err error) {
	if b.signature == "" {
		if b.signature, err = Sign(p.cfg.Key, b.timestamp, b.body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(b.body))
	if err != nil {
		return 0, fmt.Errorf("make webhook request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("User-Agent", "SendGrid Event API")
	req.Header.Set(TimestampHeader, b.timestamp)
	req.Header.Set(SignatureHeader, b.signature)
	resp, err := p.client.Do(req) // the URL's user:pass becomes basic auth
	if err != nil {
		return 0, fmt.Errorf("post events: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) //nolint:errcheck // only so that the connection can be used again
	return resp.StatusCode, nil
}
