package okq

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"
)

// What Options leave empty.
const (
	DefaultPoolSize    = 4
	DefaultDialTimeout = 3 * time.Second
	DefaultTimeout     = 15 * time.Second
)

// Options say where okq is. Only Addrs is required.
type Options struct {
	// Addrs are doors to the same queues (several okqd on one Redis). One is used at a time; when it is away, the next is.
	// One that leads to other queues than the first did is refused, and logged each minute.
	Addrs    []string
	Password string
	TLS      *tls.Config // nil: plain TCP

	// PoolSize is how many connections share the commands; each is made when it is first needed. A consumer has one more,
	// to wait on. More connections make smaller pipelines: few are faster, unless events are large.
	PoolSize    int
	DialTimeout time.Duration // to connect, over all addresses
	Timeout     time.Duration // a server that is silent for this long is taken for dead

	Log zerolog.Logger // says when okq goes away and comes back; the zero Logger is silent
}

func (o *Options) setDefaults() {
	if o.PoolSize == 0 {
		o.PoolSize = DefaultPoolSize
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
}

func (o *Options) validate() error {
	var errs []error
	if len(o.Addrs) == 0 {
		errs = append(errs, errors.New("no address"))
	}
	for _, addr := range o.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, err)
		}
	}
	if o.PoolSize < 0 || o.DialTimeout < 0 || o.Timeout < 0 {
		errs = append(errs, errors.New("a negative pool size or timeout"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("okq options: %w", errors.Join(errs...))
	}
	return nil
}
