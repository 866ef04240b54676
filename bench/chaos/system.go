package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// How many of each there are; okqd's number is the engine's.
const (
	apiCount    = 2
	workerCount = 3
	hooksCount  = 2
)

const (
	// evidenceWait is short, so that unknown outcomes come up in minutes.
	evidenceWait = 10 * time.Second
	sendTimeout  = 3 * time.Second
)

// A system is all processes of a row.
type system struct {
	config
	dir      string
	programs []*program
	network  *network
	disk     *disk  // of okqd; nil: it has none of its own
	noDisk   string // why
	mongoURI string // not through a proxy

	okqAddrs   []string // not through proxies
	sentinels  []string // addresses of Sentinels and of the Redis they watch; nil: okqd is not on such
	redisAddrs []string
	okq        *okq.Client
	sendgrid   *sendGrid
	relay      *relay
	refusals   *refusals // between the proxies and the database
	ledger     *ledger
	callers    *callers

	running sync.WaitGroup
}

// startSystem returns what it has started, also with an error. The processes end with ctx.
func startSystem(ctx context.Context, cfg config, dir string, engine engine) (*system, error) {
	s := &system{config: cfg, dir: dir, network: newNetwork(), ledger: newLedger()}
	for _, step := range []func(context.Context) error{
		s.nameDatabase, s.startSendGrid, func(ctx context.Context) error { return engine(ctx, s) }, s.startHooks, s.startWorkers, s.startAPIs, s.ready,
	} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// run starts a program that ends with ctx.
func (s *system) run(ctx context.Context, name, binary string, read func([]byte), args ...string) {
	if filepath.Base(binary) == binary {
		binary = filepath.Join(s.bin, binary)
	}
	p := &program{name: name, path: binary, args: args, read: read}
	s.programs = append(s.programs, p)
	s.running.Go(func() { p.supervise(ctx) })
}

func (s *system) nameDatabase(context.Context) error {
	u, err := url.Parse(s.mongo)
	if err != nil {
		return errors.New("PM_TEST_MONGO is not a URI of one server")
	}
	u.Path = "/pmchaos_" + strings.ToLower(rand.Text())
	query := u.Query()
	query.Set("directConnection", "true")
	u.RawQuery = query.Encode()
	s.mongoURI = u.String()
	return nil
}

// database is the URI at which a client finds the database.
func (s *system) database(client string) (string, error) {
	u, err := url.Parse(s.mongoURI)
	if err != nil {
		return "", err
	}
	if s.refusals == nil {
		if s.refusals, err = newRefusals(u.Host); err != nil {
			return "", err
		}
	}
	u.Host, err = s.network.connect(client, "mongo", s.refusals.addr)
	return u.String(), err
}

// okqd is the addresses at which a client finds the queues.
func (s *system) okqd(client string) (string, error) {
	var addrs []string
	for i, upstream := range s.okqAddrs {
		addr, err := s.network.connect(client, fmt.Sprintf("okqd-%d", i+1), upstream)
		if err != nil {
			return "", err
		}
		addrs = append(addrs, addr)
	}
	return strings.Join(addrs, ","), nil
}

func (s *system) startSendGrid(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	s.run(ctx, "sendgrid", "postmaster", nil, "sandbox", "--listen-addr", addr, "--ops-addr", "", "--log-level", "error", "--seed", fmt.Sprint(s.seed|1),
		"--delay-processed", "500ms", "--delay-delivered", "1s", "--delay-open", "2s", "--keep", "100",
		"--webhook-retry-min", "200ms", "--webhook-retry-max", "2s", "--event-buffer", "5000000")
	s.sendgrid = newSendGrid(addr)
	return within(ctx, "sendgrid", func() error { return s.sendgrid.setFaults(s.seed, usual()...) })
}

// dialOkq is for this program's own questions, not through a proxy.
func (s *system) dialOkq(context.Context) (err error) {
	if s.okq != nil {
		s.okq.Close()
	}
	s.okq, err = okq.New(okq.Options{Addrs: s.okqAddrs, Timeout: 5 * time.Second})
	return err
}

func (s *system) startHooks(ctx context.Context) error {
	key, err := s.sendgrid.publicKey()
	if err != nil {
		return err
	}
	var targets []string
	for i := range hooksCount {
		name := fmt.Sprintf("pm-hooks-%d", i+1)
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		queues, err := s.okqd(name)
		if err != nil {
			return err
		}
		s.run(ctx, name, "pm-hooks", nil, "--webhook-addr", addr, "--ops-addr", "", "--okq-addr", queues, "--webhook-public-key", key)
		target, err := s.network.connect("relay", name, addr)
		if err != nil {
			return err
		}
		targets = append(targets, target)
	}
	if s.relay, err = newRelay(targets); err != nil {
		return err
	}
	return s.sendgrid.setWebhook("http://" + s.relay.addr + "/")
}

func (s *system) startWorkers(ctx context.Context) error {
	for i := range workerCount {
		name := fmt.Sprintf("pm-worker-%d", i+1)
		queues, err := s.okqd(name)
		if err != nil {
			return err
		}
		db, err := s.database(name)
		if err != nil {
			return err
		}
		sendgrid, err := s.network.connect(name, "sendgrid", strings.TrimPrefix(s.sendgrid.url, "http://"))
		if err != nil {
			return err
		}
		concurrency := "64"
		if i == workerCount-1 {
			concurrency = "1" // the least there is
		}
		s.run(ctx, name, "pm-worker", s.ledger.read, "--ops-addr", "", "--okq-addr", queues, "--mongo-addr", db, "--sendgrid-url", "http://"+sendgrid,
			"--sendgrid-key", "SG.chaos", "--concurrency", concurrency, "--evidence-wait", evidenceWait.String(), "--max-attempts", fmt.Sprint(s.maxAttempts),
			"--send-timeout", sendTimeout.String(), "--drain-wait", "5s", "--lease", "6s")
	}
	return nil
}

func (s *system) startAPIs(ctx context.Context) error {
	var addrs []string
	for i := range apiCount {
		name := fmt.Sprintf("pm-api-%d", i+1)
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		queues, err := s.okqd(name)
		if err != nil {
			return err
		}
		db, err := s.database(name)
		if err != nil {
			return err
		}
		s.run(ctx, name, "pm-api", nil, "--listen-addr", addr, "--ops-addr", "", "--okq-addr", queues, "--mongo-addr", db)
		addrs = append(addrs, addr)
	}
	s.callers = newCallers(addrs, s.rate, s.seed, s.ledger)
	return nil
}

// ready waits until a mail can be enqueued at each pm-api.
func (s *system) ready(ctx context.Context) error {
	for i, api := range s.callers.apis {
		err := within(ctx, fmt.Sprintf("pm-api-%d", i+1), func() error {
			_, err := api.GetPrefs(ctx, "alex@example.com")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// within repeats do for a minute at most, until it works.
func within(ctx context.Context, what string, do func() error) error {
	for deadline := time.Now().Add(time.Minute); ; {
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %w", what, err)
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// backlog is what is queued, delayed and leased too.
type backlog struct{ mails, batches int }

func (s *system) left(ctx context.Context) (b backlog, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	statuses, err := s.okq.Status(ctx, job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats)
	for _, q := range statuses {
		if q.Queue == job.QueueStats {
			b.batches += q.Total
		} else {
			b.mails += q.Total
		}
	}
	return b, err
}

func (s *system) nextOkqd() string { return fmt.Sprintf("okqd-%d", len(s.okqAddrs)+1) }

// close waits for the processes, whose context has ended, and drops the database.
func (s *system) close() {
	s.running.Wait()
	s.network.close()
	if s.relay != nil {
		s.relay.close()
	}
	if s.refusals != nil {
		s.refusals.close()
	}
	if s.okq != nil {
		s.okq.Close()
	}
	if s.disk != nil {
		if err := s.disk.close(); err != nil {
			fmt.Println("unmount:", err)
		}
	}
	if err := dropDatabase(s.mongoURI); err != nil {
		fmt.Println("drop the database:", err)
	}
}

// program is the one of that name.
func (s *system) program(name string) *program {
	for _, p := range s.programs {
		if p.name == name {
			return p
		}
	}
	return nil
}

// all are the programs whose name begins so.
func (s *system) all(prefix string) []*program {
	var found []*program
	for _, p := range s.programs {
		if strings.HasPrefix(p.name, prefix) {
			found = append(found, p)
		}
	}
	return found
}
