package redis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Config is where Redis is, and how it is talked to. No address: the embedded engine is meant.
type Config struct {
	Addr             string // comma-separated host:port, or URLs
	Cluster          bool
	SentinelAddr     string // comma-separated
	SentinelGroup    string
	Username         string
	Password         string
	DB               int
	SentinelUsername string
	SentinelPassword string
	TLS              bool
	TLSCA            string // file; implies TLS
	TLSCert, TLSKey  string // files; imply TLS
	Wait             int
	Partitions       int
}

// maxPartitions bounds what looking at every partition of a queue costs.
const maxPartitions = 128

// AddFlags defines the --redis-… flags and --partitions.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	c.AddAddrFlags(fs)
	fs.IntVar(&c.Wait, "redis-wait", 0, "replicas that must have a change before it is answered")
	fs.IntVar(&c.Partitions, "partitions", 1, "slots of the Redis Cluster over which each queue is spread; more than 1 gives up the order between them")
}

// AddAddrFlags defines the flags that say where Redis is, and how it is talked to.
func (c *Config) AddAddrFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addr, "redis-addr", "", "keep the queues in this Redis, and not in --data-dir: host:port, or redis://USER:PASSWORD@HOST:PORT/DB (rediss:// for TLS)")
	fs.BoolVar(&c.Cluster, "redis-cluster", false, "--redis-addr is one or more nodes (host:port,host:port…) of a Redis Cluster")
	fs.StringVar(&c.SentinelAddr, "redis-sentinel-addr", "", "keep the queues in the Redis that these Sentinels (host:port,host:port…) name")
	fs.StringVar(&c.SentinelGroup, "redis-sentinel-group", "master", "the Sentinels' name for that Redis")
	fs.StringVar(&c.Username, "redis-username", "", "Redis' user, of its ACL; needs --redis-password")
	fs.StringVar(&c.Password, "redis-password", "", "Redis' password; better in the environment")
	fs.IntVar(&c.DB, "redis-db", 0, "number of Redis' database")
	fs.StringVar(&c.SentinelUsername, "redis-sentinel-username", "", "the Sentinels' user, of their ACL; needs --redis-sentinel-password")
	fs.StringVar(&c.SentinelPassword, "redis-sentinel-password", "", "the Sentinels' password; better in the environment")
	fs.BoolVar(&c.TLS, "redis-tls", false, "speak TLS to Redis and its Sentinels, and trust the certificate authorities that this machine trusts")
	fs.StringVar(&c.TLSCA, "redis-tls-ca", "", "certificates (PEM file) to trust in their place; implies --redis-tls")
	fs.StringVar(&c.TLSCert, "redis-tls-cert", "", "certificate (PEM file) to show to Redis, together with --redis-tls-key; implies --redis-tls")
	fs.StringVar(&c.TLSKey, "redis-tls-key", "", "key (PEM file) of --redis-tls-cert")
}

// addrFlag is the flag that says where Redis is.
func (c *Config) addrFlag() string {
	if c.SentinelAddr != "" {
		return "--redis-sentinel-addr"
	}
	return "--redis-addr"
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

// ValidateAddrs is about the flags that say where Redis is, and how it is talked to.
func (c *Config) ValidateAddrs() error {
	var errs []error
	fault := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	fault(c.Addr != "" && c.SentinelAddr != "", "--redis-addr and --redis-sentinel-addr exclude each other")
	fault(c.Cluster && c.Addr == "", "--redis-cluster needs --redis-addr")
	fault(!c.Cluster && strings.Contains(c.Addr, ","), "--redis-addr must be one address unless --redis-cluster is set")
	fault(c.SentinelAddr != "" && c.SentinelGroup == "", "--redis-sentinel-group must not be empty")
	fault(c.SentinelUsername != "" && c.SentinelPassword == "", "--redis-sentinel-username needs --redis-sentinel-password")
	fault(c.SentinelAddr == "" && c.SentinelPassword != "", "--redis-sentinel-password needs --redis-sentinel-addr")
	fault(c.DB < 0, "--redis-db must not be negative")
	for _, set := range []struct {
		flag string
		is   bool
	}{
		{"--redis-username", c.Username != ""}, {"--redis-db", c.DB != 0}, {"--redis-tls", c.TLS}, {"--redis-tls-ca", c.TLSCA != ""},
		{"--redis-tls-cert", c.TLSCert != ""}, {"--redis-tls-key", c.TLSKey != ""},
	} {
		fault(set.is && !c.Enabled(), set.flag+" needs --redis-addr or --redis-sentinel-addr")
	}
	if c.Enabled() {
		_, err := c.target()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
