package okq

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/bits"
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
	Addrs    []string
	Password string
	TLS      *tls.Config // nil: plain TCP

	// PoolSize is how many connections share the commands, rounded down to a power of two. Each consumer has one more, to wait on.
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

// multiplex is the pool size as rueidis wants it: a power of two, by its exponent, where 0 would mean "choose".
func (o *Options) multiplex() int {
	n := bits.Len(uint(o.PoolSize)) - 1
	if n == 0 {
		return -1
	}
	return min(n, 8)
}
