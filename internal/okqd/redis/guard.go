package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// guardEvery is how often the settings of Redis are looked at: they can be changed while it runs, and a failover may
	// lead to a server with others.
	guardEvery   = time.Second
	guardTimeout = time.Second
	noEviction   = "noeviction"
)

// guard watches whether Redis keeps what it is given. One that may evict keys is not pushed to: it drops events, or the
// parts that make a queue of them, without a word. One that does not keep its data on a disk is warned of.
type guard struct {
	client     rueidis.Client
	log        zerolog.Logger
	evicts     prometheus.Gauge
	persistent prometheus.Gauge

	mu      sync.Mutex // protects the fields below
	refusal error      // nil: no server may evict
	weak    string     // what was warned of
	blind   bool       // and so was that nothing can be seen
}

func newGuard(client rueidis.Client, log zerolog.Logger, reg prometheus.Registerer) *guard {
	g := &guard{
		client: client, log: log,
		evicts: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "okqd_redis_may_evict", Help: "1 if maxmemory-policy of Redis is not noeviction: pushes are refused.",
		}),
		persistent: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "okqd_redis_persistent", Help: "1 if Redis keeps an append-only file, with appendfsync always or everysec.",
		}),
	}
	reg.MustRegister(g.evicts, g.persistent)
	return g
}

// keeping is how a server keeps its data.
type keeping struct {
	addr   string
	policy string // maxmemory-policy
	aof    bool
	fsync  string // "": not told
}

// weakness says why the server does not keep what okqd answers for, "" if it does.
func (k keeping) weakness() string {
	switch {
	case !k.aof:
		return "appendonly is no: what was answered since the last snapshot is gone when it ends"
	case k.fsync == "no":
		return "appendfsync is no: a power cut loses what the system had not written"
	}
	return ""
}

// look asks all servers that can be reached, and returns an error if some may evict.
func (g *guard) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, guardTimeout)
	defer cancel()
	found, err := g.ask(ctx)
	if err != nil {
		g.unseen(err)
		return g.refused()
	}
	var refusal error
	weak := ""
	for _, k := range found {
		if k.policy != noEviction {
			refusal = fmt.Errorf("%w: maxmemory-policy of the Redis at %s is %s; set it to %s", engine.ErrEvicts, k.addr, k.policy, noEviction)
		}
		if why := k.weakness(); why != "" && weak == "" {
			weak = k.addr + ": " + why
		}
	}
	g.note(refusal, weak)
	return refusal
}

// ask returns an error if no server tells.
func (g *guard) ask(ctx context.Context) ([]keeping, error) {
	nodes := g.client.Nodes()
	var mu sync.Mutex
	var found []keeping
	var errs []error
	var wg sync.WaitGroup
	for addr, node := range nodes {
		wg.Go(func() {
			k, err := askNode(ctx, addr, node)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			found = append(found, k)
		})
	}
	wg.Wait()
	slices.SortFunc(found, func(a, b keeping) int { return strings.Compare(a.addr, b.addr) })
	if len(found) == 0 {
		return nil, errors.Join(errs...)
	}
	return found, nil
}

func askNode(ctx context.Context, addr string, node rueidis.Client) (keeping, error) {
	results := node.DoMulti(ctx, node.B().Info().Section("memory").Build(), node.B().Info().Section("persistence").Build(),
		node.B().ConfigGet().Parameter("appendfsync").Build())
	memory, err := results[0].ToString()
	if err != nil {
		return keeping{}, err
	}
	disk, err := results[1].ToString()
	if err != nil {
		return keeping{}, err
	}
	k := keeping{addr: addr, policy: infoField(memory, "maxmemory_policy"), aof: infoField(disk, "aof_enabled") == "1"}
	if config, err := results[2].AsStrMap(); err == nil { // it may be forbidden, as where others run Redis
		k.fsync = config["appendfsync"]
	}
	if k.policy == "" {
		return k, errors.New("INFO does not tell maxmemory_policy")
	}
	return k, nil
}

// infoField finds a field of INFO.
func infoField(info, name string) string {
	lines := bufio.NewScanner(strings.NewReader(info))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return value
		}
	}
	return ""
}

// note keeps what was found, and says what is new.
func (g *guard) note(refusal error, weak string) {
	g.evicts.Set(number(refusal != nil))
	g.persistent.Set(number(weak == ""))
	g.mu.Lock()
	defer g.mu.Unlock()
	if refusal != nil && g.refusal == nil {
		g.log.Error().Err(refusal).Msg("pushes are refused")
	}
	if refusal == nil && g.refusal != nil {
		g.log.Info().Msg("redis evicts nothing any more: pushes are taken")
	}
	if weak != "" && weak != g.weak {
		g.log.Warn().Str("reason", weak).Msg("redis does not keep on its disk what is answered; set appendonly yes, and appendfsync always or everysec")
	}
	g.refusal, g.weak, g.blind = refusal, weak, false
}

// unseen keeps what was found before. A server that is away is told of elsewhere; one that forbids to look is not.
func (g *guard) unseen(err error) {
	if _, answered := rueidis.IsRedisErr(err); !answered {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.blind {
		g.log.Warn().Err(err).Msg("redis does not tell its settings: whether it keeps events is not known")
	}
	g.blind = true
}

// refused returns why pushes are refused.
func (g *guard) refused() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refusal
}

func (g *guard) watch(ctx context.Context) {
	for sleep(ctx, guardEvery) {
		g.look(ctx) //nolint:errcheck // it is kept
	}
}

// refusePushes takes pushes out of ops if there is a reason.
func (g *guard) refusePushes(ops []engine.Op) {
	err := g.refused()
	if err == nil {
		return
	}
	for i := range ops {
		if k := ops[i].Kind; k == engine.Push || k == engine.Move || k == engine.Replace {
			ops[i].Kind, ops[i].Err = engine.None, err
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
