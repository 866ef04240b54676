package redis

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/pflag"
)

// Config is where Redis is. All empty: the embedded engine is meant.
type Config struct {
	Addr          string // comma-separated
	Cluster       bool
	SentinelAddr  string // comma-separated
	SentinelGroup string
	Password      string
	Wait          int
	Partitions    int
}

// maxPartitions bounds what looking at every partition of a queue costs.
const maxPartitions = 128

// AddFlags defines the --redis-… flags and --partitions.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	c.AddAddrFlags(fs)
	fs.IntVar(&c.Wait, "redis-wait", 0, "replicas that must have a change before it is answered")
	fs.IntVar(&c.Partitions, "partitions", 1, "slots of the Redis Cluster over which each queue is spread; more than 1 gives up the order between them")
}

// AddAddrFlags defines the flags that say where Redis is.
func (c *Config) AddAddrFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addr, "redis-addr", "", "keep the queues in this Redis, host:port, and not in --data-dir")
	fs.BoolVar(&c.Cluster, "redis-cluster", false, "--redis-addr is one or more nodes (host:port,host:port…) of a Redis Cluster")
	fs.StringVar(&c.SentinelAddr, "redis-sentinel-addr", "", "keep the queues in the Redis that these Sentinels (host:port,host:port…) name")
	fs.StringVar(&c.SentinelGroup, "redis-sentinel-group", "master", "the Sentinels' name for that Redis")
	fs.StringVar(&c.Password, "redis-password", "", "Redis' password; better in the environment")
}

// Enabled tells whether the queues are to be in Redis.
func (c *Config) Enabled() bool { return c.Addr != "" || c.SentinelAddr != "" }

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	errs := []error{c.ValidateAddrs()}
	fault := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	fault(c.Wait < 0, "--redis-wait must not be negative")
	fault(c.Wait > 0 && !c.Enabled(), "--redis-wait needs --redis-addr or --redis-sentinel-addr")
	fault(c.Partitions < 1 || c.Partitions > maxPartitions, fmt.Sprintf("--partitions must be 1 to %d", maxPartitions))
	fault(c.Partitions > 1 && !c.Enabled(), "--partitions needs --redis-addr or --redis-sentinel-addr")
	return errors.Join(errs...)
}

// ValidateAddrs is about the flags that say where Redis is.
func (c *Config) ValidateAddrs() error {
	errs := []error{validateAddrs("--redis-addr", c.Addr), validateAddrs("--redis-sentinel-addr", c.SentinelAddr)}
	fault := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	fault(c.Addr != "" && c.SentinelAddr != "", "--redis-addr and --redis-sentinel-addr exclude each other")
	fault(c.Cluster && c.Addr == "", "--redis-cluster needs --redis-addr")
	fault(!c.Cluster && strings.Contains(c.Addr, ","), "--redis-addr must be one address unless --redis-cluster is set")
	fault(c.SentinelAddr != "" && c.SentinelGroup == "", "--redis-sentinel-group must not be empty")
	return errors.Join(errs...)
}

func validateAddrs(flag, list string) error {
	if list == "" {
		return nil
	}
	for addr := range strings.SplitSeq(list, ",") {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	return nil
}
