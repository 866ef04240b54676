package webhook

import (
	"crypto/ecdsa"
	"errors"
	"time"
)

// Config says how events travel. The zero value of a field means its default.
type Config struct {
	Key *ecdsa.PrivateKey // signs; required

	MaxBatchEvents int           // events in one POST (1000)
	MaxBatchBytes  int           // bytes in one POST before it is closed (768 KB, as SendGrid)
	BatchWait      time.Duration // how long due events wait for company (20ms)
	Concurrency    int           // POSTs in flight (8)
	Timeout        time.Duration // for one POST (10s)

	RetryMin time.Duration // first pause after a refused POST (500ms), doubling …
	RetryMax time.Duration // … up to this one (30s)
	RetryFor time.Duration // age at which an event is given up (24h, as SendGrid)

	MaxBuffered int // events waiting, in flight or to be retried (500,000)

	Copies  int    // how often each event is sent (1)
	Shuffle bool   // events come in random order
	Seed    uint64 // of that order
}

var errNoKey = errors.New("webhook: no signing key")

func (c Config) withDefaults() (Config, error) {
	if c.Key == nil {
		return c, errNoKey
	}
	setDefault(&c.MaxBatchEvents, 1000)
	setDefault(&c.MaxBatchBytes, 768_000)
	setDefault(&c.BatchWait, 20*time.Millisecond)
	setDefault(&c.Concurrency, 8)
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.RetryMin, 500*time.Millisecond)
	setDefault(&c.RetryMax, 30*time.Second)
	setDefault(&c.RetryFor, 24*time.Hour)
	setDefault(&c.MaxBuffered, 500_000)
	setDefault(&c.Copies, 1)
	return c, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
