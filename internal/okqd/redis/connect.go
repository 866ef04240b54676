package redis

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/cmdutil"
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
	opt := rueidis.ClientOption{
		Password: cfg.Password, DisableCache: true, DisableRetry: true, ClientName: "okqd",
		ConnWriteTimeout: replyTimeout, PipelineMultiplex: 2,
	}
	opt.Dialer.Timeout = dialTimeout
	flag := "--redis-addr"
	switch {
	case cfg.SentinelAddr != "":
		flag, opt.InitAddress, opt.Sentinel.MasterSet = "--redis-sentinel-addr", cmdutil.SplitList(cfg.SentinelAddr), cfg.SentinelGroup
		opt.Sentinel.TopologyRefreshInterval = topologyEvery
	case cfg.Cluster:
		opt.InitAddress = cmdutil.SplitList(cfg.Addr)
		opt.ClusterOption.ShardsRefreshInterval = topologyEvery
	default:
		opt.InitAddress, opt.ForceSingleClient = []string{cfg.Addr}, true
	}
	client, err := rueidis.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return client, nil
}
