package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// operators do all along what people do while things go wrong: they requeue and drop dead letters, two at a time, pause
// and resume a queue, and opt recipients out and move their preferences while emails to them are queued. What is done to
// queues is done with the commands of cmd/postmaster.
type operators struct {
	sys  *system
	dice *rand.Rand
	made int // recipients

	mu  sync.Mutex // protects did
	did operated
}

// operated says what the operators did.
type operated struct {
	requeued                             map[string]int       // by email: tries, whether they were answered or not
	dropped                              map[string]bool      // by email: tries too
	optOuts                              map[string]time.Time // by address: when it had surely opted out
	requeues, drops, pauses, outs, moves int
}

func (o operated) optOutOf(to string) time.Time { return o.optOuts[to] }

func (o operated) String() string {
	return fmt.Sprintf("%d; %d; %d; %d; %d", o.requeues, o.drops, o.pauses, o.outs, o.moves)
}

const (
	operatorPause  = 3 * time.Second  // between two things that are done, at most
	commandTimeout = 20 * time.Second // of one command
	untilDone      = 5 * time.Minute  // for what must not stay half done
)

func newOperators(s *system) *operators {
	return &operators{sys: s, dice: rand.New(rand.NewPCG(s.seed, 3)),
		did: operated{requeued: map[string]int{}, dropped: map[string]bool{}, optOuts: map[string]time.Time{}}}
}

func (o *operators) result() operated {
	o.mu.Lock()
	defer o.mu.Unlock()
	did := o.did
	did.requeued, did.dropped, did.optOuts = maps.Clone(did.requeued), maps.Clone(did.dropped), maps.Clone(did.optOuts)
	return did
}

// run works until ctx ends, and returns when nothing is left half done.
func (o *operators) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for ctx.Err() == nil {
		switch kind, span := o.dice.IntN(5), time.Duration(o.dice.Int64N(int64(5*time.Second))); kind {
		case 0, 1:
			o.visitLetters(ctx)
		case 2:
			o.pauseQueue(ctx, span)
		default:
			o.made++
			to, moved := fmt.Sprintf("noopen+out%d@example.com", o.made), o.dice.IntN(2) == 0
			wg.Go(func() { o.optOut(ctx, to, moved, span) })
		}
		sleep(ctx, time.Duration(o.dice.Int64N(int64(operatorPause))))
	}
}

// visitLetters has two operators requeue and drop some dead letters at the same time.
func (o *operators) visitLetters(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var ids []string
	for id, err := range o.sys.okq.Scan(asking, job.QueueEmailDead) {
		if ids = append(ids, id); err != nil || len(ids) == 3 {
			break
		}
	}
	if len(ids) < 3 {
		return // okq is away, or little died
	}
	o.mu.Lock()
	drop := o.dice.IntN(4) == 0
	for _, id := range ids {
		email, _, _ := strings.Cut(id, ".")
		o.did.requeued[email]++
		if drop {
			o.did.dropped[email] = true
			o.did.drops++
		} else {
			o.did.requeued[email]++ // the second operator's
		}
		o.did.requeues++
	}
	o.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	requeue := append([]string{"dead", "requeue", "--yes", "--mongo-addr", o.sys.mongoURI}, ids...)
	wg.Go(func() { o.postmaster(ctx, requeue...) }) //nolint:errcheck // what must hold holds either way
	if drop {
		requeue = append([]string{"dead", "drop", "--yes"}, ids...)
	}
	wg.Go(func() { o.postmaster(ctx, requeue...) }) //nolint:errcheck // the same
}

// pauseQueue stops the workers for a while.
func (o *operators) pauseQueue(ctx context.Context, span time.Duration) {
	if o.postmaster(ctx, "queue", "pause", job.QueueEmailNormal, "--reason", "chaos") == nil {
		o.mu.Lock()
		o.did.pauses++
		o.mu.Unlock()
	}
	sleep(ctx, span)
	o.until(func(ctx context.Context) error { return o.postmaster(ctx, "queue", "resume", job.QueueEmailNormal) })
}

// optOut queues emails to a recipient, opts it out when some may be on their way, perhaps moves its preferences to
// another address, and queues more.
func (o *operators) optOut(ctx context.Context, to string, move bool, span time.Duration) {
	moved := strings.Replace(to, "@", ".moved@", 1)
	o.enqueue(ctx, to, 3)
	sleep(ctx, span)
	api := o.sys.callers.apis[0]
	if !o.until(func(ctx context.Context) error { return api.UpdatePrefs(ctx, to, kind) }) {
		return
	}
	o.note(to, func(did *operated) { did.outs++ })
	if move {
		if !o.until(func(ctx context.Context) error { return api.MovePrefs(ctx, to, moved) }) {
			return
		}
		o.note(moved, func(did *operated) { did.moves++ })
		o.enqueue(ctx, moved, 2)
	}
	o.enqueue(ctx, to, 2)
}

// kind is the kind of the emails that are opted out of.
const kind = 2

func (o *operators) note(to string, count func(*operated)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.did.optOuts[to] = time.Now()
	count(&o.did)
}

// enqueue queues emails for now and for some seconds later.
func (o *operators) enqueue(ctx context.Context, to string, n int) {
	for i := range n {
		e := &job.Email{To: to, From: "shop@example.org", Subject: "News", Text: "News", Flags: kind, UniqueID: fmt.Sprintf("%s-%d", to, i)}
		if i > 0 {
			e.SendAt = time.Now().Add(time.Duration(i) * 3 * time.Second).Unix()
		}
		o.sys.callers.call(ctx, o.sys.callers.apis[0], e)
	}
}

// until repeats do until it works.
func (o *operators) until(do func(context.Context) error) bool {
	for deadline := time.Now().Add(untilDone); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		err := do(ctx)
		cancel()
		if err == nil {
			return true
		}
	}
	fmt.Println("operators: not done within", untilDone)
	return false
}

// postmaster runs a command as a person would.
func (o *operators) postmaster(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	args = append(args, "--okq-addr", strings.Join(o.sys.okqAddrs, ","))
	return exec.CommandContext(ctx, filepath.Join(o.sys.bin, "postmaster"), args...).Run()
}
