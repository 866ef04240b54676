package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// ErrNoWebhook is what Event.Answered gets while no URL is set.
var ErrNoWebhook = errors.New("no webhook configured")

// Poster schedules and posts events.
type Poster struct {
	cfg    Config
	log    zerolog.Logger
	client *http.Client
	wake   chan struct{} // the head of the schedule changed
	slots  chan struct{} // one token per POST in flight

	mu       sync.Mutex // protects the fields below
	target   *url.URL   // nil: events are rendered, not posted
	schedule schedule
	seq      uint64
	buffered int
	counts   Counts
	order    *rand.Rand
}

// Counts are what happened since the start.
type Counts struct {
	Events    int64 `json:"events"`    // rendered
	Delivered int64 `json:"delivered"` // event copies answered with 2xx
	Posts     int64 `json:"posts"`     // POSTs made, refused ones included
	Refused   int64 `json:"refused"`   // POSTs without a 2xx
	Lost      int64 `json:"lost"`      // event copies given up: too old, or the buffer was full
	Buffered  int   `json:"buffered"`  // event copies waiting, in flight or to be retried
}

// New makes a Poster without a target; Run makes it work.
func New(cfg Config, log zerolog.Logger) (*Poster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.Concurrency
	return &Poster{
		cfg: cfg,
		log: log,
		client: &http.Client{
			Transport: transport,
			Timeout:   cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse // SendGrid follows none
			},
		},
		wake:  make(chan struct{}, 1),
		slots: make(chan struct{}, cfg.Concurrency),
		order: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed)),
	}, nil
}

// ParseURL checks a webhook URL; "" is nil, no webhook.
func ParseURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL") // url.Error would repeat the password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("must be http://host… or https://host…")
	}
	return u, nil
}

// SetURL changes where events go, refused batches included; nil is nowhere.
func (p *Poster) SetURL(u *url.URL) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = u
}

// URL is where events go, its password hidden; "" when there is no webhook.
func (p *Poster) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.target == nil {
		return ""
	}
	return p.target.Redacted()
}

// Counts is a snapshot.
func (p *Poster) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	c.Buffered = p.buffered
	return c
}

// Schedule posts e after delay, and its copies with it. With Shuffle the
// delay is only the longest it may take.
func (p *Poster) Schedule(e Event, delay time.Duration) {
	now := time.Now()
	shared := &pending{event: e}
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.cfg.Copies {
		if p.buffered >= p.cfg.MaxBuffered {
			p.counts.Lost++
			continue
		}
		due := now.Add(delay)
		if p.cfg.Shuffle {
			due = now.Add(time.Duration(p.order.Int64N(int64(delay) + 1)))
		}
		p.buffered++
		p.addLocked(item{due: due, event: shared})
	}
}

// addLocked wakes Run when it would sleep past it.
func (p *Poster) addLocked(it item) {
	it.seq = p.seq
	p.seq++
	p.schedule.add(it)
	if p.schedule[0].seq != it.seq {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run posts until ctx ends, then cuts the POSTs in flight and waits for them.
func (p *Poster) Run(ctx context.Context) error {
	var posts sync.WaitGroup
	defer p.client.CloseIdleConnections()
	defer posts.Wait()
	for {
		if !p.waitUntilDue(ctx) {
			return nil
		}
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		b := p.take(time.Now())
		if b == nil {
			<-p.slots
			continue
		}
		posts.Go(func() {
			defer func() { <-p.slots }()
			p.deliver(ctx, b)
		})
	}
}

// waitUntilDue answers false when ctx ended.
func (p *Poster) waitUntilDue(ctx context.Context) bool {
	for {
		p.mu.Lock()
		wait := time.Duration(-1)
		if len(p.schedule) > 0 {
			wait = max(0, time.Until(p.schedule[0].due.Add(p.cfg.BatchWait)))
		}
		p.mu.Unlock()
		if wait == 0 {
			return ctx.Err() == nil
		}
		var timeout <-chan time.Time
		if wait > 0 {
			timeout = time.After(wait)
		}
		select {
		case <-timeout:
		case <-p.wake:
		case <-ctx.Done():
			return false
		}
	}
}
