package redis

import (
	"strings"
	"testing"
)

func TestURLsAndFlagsSayTogetherWhereRedisIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		want target
		tls  bool
	}{
		"host and port":       {Config{Addr: "h:1"}, target{addrs: []string{"h:1"}}, false},
		"URL":                 {Config{Addr: "redis://h"}, target{addrs: []string{"h:6379"}}, false},
		"URL with everything": {Config{Addr: "rediss://u:p%2C%40x@[::1]:7/3"}, target{addrs: []string{"[::1]:7"}, username: "u", password: "p,@x", db: 3}, true},
		"password only":       {Config{Addr: "redis://:p@h:1/"}, target{addrs: []string{"h:1"}, password: "p"}, false},
		"URL and flags":       {Config{Addr: "redis://u@h:1", Password: "p", DB: 2, TLS: true}, target{addrs: []string{"h:1"}, username: "u", password: "p", db: 2}, true},
		"the same twice":      {Config{Addr: "redis://u:p@h:1/2", Username: "u", Password: "p", DB: 2}, target{addrs: []string{"h:1"}, username: "u", password: "p", db: 2}, false},
		"cluster": {
			Config{Addr: "redis://u:p@a:1, redis://u:p@b:2,c:3", Cluster: true},
			target{addrs: []string{"a:1", "b:2", "c:3"}, username: "u", password: "p"}, false,
		},
		"Sentinels": {
			Config{SentinelAddr: "a:1, b:2", SentinelGroup: "m", SentinelUsername: "su", SentinelPassword: "sp", Password: "p", TLS: true},
			target{addrs: []string{"a:1", "b:2"}, password: "p"}, true,
		},
	} {
		c.cfg.Partitions = 1
		if err := c.cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := c.cfg.target()
		if err != nil || strings.Join(got.addrs, " ") != strings.Join(c.want.addrs, " ") || got.username != c.want.username ||
			got.password != c.want.password || got.db != c.want.db || (got.tls != nil) != c.tls {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A wrong flag is named, and no error repeats a password.
func TestFaultsOfRedisFlagsTellNoPassword(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for flag, configs := range map[string][]Config{
		"--redis-addr": {
			{Addr: "user:" + secret + "@h:1"}, {Addr: secret + "@h:1"}, {Addr: "redis://u:" + secret + "@h:port"}, {Addr: "http://u:" + secret + "@h:1"},
			{Addr: "redis://u:" + secret + "%@h:1"}, {Addr: "redis://u:" + secret + "@h:1/x"}, {Addr: "redis://u:" + secret + "@h:1?db=1"},
			{Addr: "redis://u:" + secret + "@/1"}, {Addr: "a:1,redis://u:" + secret + "@b:1"},
		},
		"--redis-sentinel-addr":     {{SentinelAddr: "redis://u:" + secret + "@h:1", SentinelGroup: "m"}, {SentinelPassword: secret}},
		"--redis-password":          {{Addr: "redis://u:" + secret + "@h:1", Password: "other"}, {Addr: "h:1", Username: "u"}},
		"--redis-username":          {{Addr: "redis://u:" + secret + "@h:1", Username: "other"}, {Username: "u", Password: secret}},
		"--redis-db":                {{Addr: "h:1", DB: -1}, {Addr: "redis://h:1/1", DB: 2}, {Addr: "redis://h:1/1", Cluster: true}, {DB: 1}},
		"--redis-tls":               {{TLS: true}},
		"--redis-tls-ca":            {{Addr: "h:1", TLSCA: "/nowhere"}, {TLSCA: "x"}},
		"--redis-tls-key":           {{Addr: "h:1", TLSCert: "x"}, {Addr: "h:1", TLSCert: "/nowhere", TLSKey: "/nowhere"}},
		"--redis-sentinel-password": {{SentinelAddr: "h:1", SentinelGroup: "m", SentinelUsername: "u"}},
	} {
		for _, cfg := range configs {
			cfg.Partitions = 1
			err := cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), flag) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", flag, err)
			}
		}
	}
}
