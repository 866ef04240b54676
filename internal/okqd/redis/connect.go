package redis

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

const (
	dialTimeout  = 5 * time.Second
	replyTimeout = 10 * time.Second
	waitTimeout  = replyTimeout / 2 // for replicas
	// topologyEvery is how often Sentinels or Cluster are asked who is master: the news of a failover can be missed.
	topologyEvery = time.Second
)

// connect connects to the Redis that valid flags name.
func connect(cfg Config) (rueidis.Client, error) {
	to, err := cfg.target()
	if err != nil {
		return nil, err
	}
	opt := rueidis.ClientOption{
		InitAddress: to.addrs, Username: to.username, Password: to.password, SelectDB: to.db, TLSConfig: to.tls,
		DisableCache: true, DisableRetry: true, ClientName: "okqd", ConnWriteTimeout: replyTimeout, PipelineMultiplex: 2,
	}
	opt.Dialer.Timeout = dialTimeout
	switch {
	case cfg.SentinelAddr != "":
		opt.Sentinel = rueidis.SentinelOption{
			MasterSet: cfg.SentinelGroup, Username: cfg.SentinelUsername, Password: cfg.SentinelPassword, TLSConfig: to.tls,
			TopologyRefreshInterval: topologyEvery,
		}
		opt.Sentinel.Dialer.Timeout = dialTimeout
	case cfg.Cluster:
		opt.ClusterOption.ShardsRefreshInterval = topologyEvery
	default:
		opt.ForceSingleClient = true
	}
	client, err := rueidis.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.addrFlag(), err)
	}
	return client, nil
}
