package main

import (
	"fmt"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// faultKinds is all that can go wrong. What cannot be made to is in docs/reliability.md.
var faultKinds = []fault{
	{"kill -9", nil, func(r *row) (string, func() error, error) { return r.kill(r.victim()) }},
	{"kill -9 okqd", nil, func(r *row) (string, func() error, error) { return r.kill(r.pick(r.sys.all("okqd"))) }},
	{"kill -9 pm-worker", nil, func(r *row) (string, func() error, error) { return r.kill(r.pick(r.sys.all("pm-worker"))) }},
	{"kill -9 Redis", func(r *row) bool { return r.sys.program("redis") != nil }, func(r *row) (string, func() error, error) {
		return r.kill(r.sys.program("redis"))
	}},
	{"Redis failover", func(r *row) bool { return len(r.sys.sentinels) > 0 }, failOver},
	{"kill -9 of all", nil, func(r *row) (string, func() error, error) { return r.kill(r.victims()...) }},
	{"SIGSTOP", nil, stopOne},
	{"SIGTERM", nil, terminateOne},
	{"database away", nil, func(r *row) (string, func() error, error) { return r.cut(r.sys.network.to("mongo")) }},
	{"connection cut", nil, func(r *row) (string, func() error, error) {
		return r.cut([]*link{r.sys.network.links[r.dice.IntN(len(r.sys.network.links))]})
	}},
	{"black hole", nil, func(r *row) (string, func() error, error) {
		return r.poison("goes nowhere", `{"type":"timeout","attributes":{"timeout":0}}`)
	}},
	{"slow network", nil, func(r *row) (string, func() error, error) {
		return r.poison("is slow", `{"type":"latency","attributes":{"latency":400,"jitter":300}}`)
	}},
	{"database refuses", nil, refuseWrites},
	{"slow disk", canTrace, func(r *row) (string, func() error, error) {
		return r.trace("okqd's disk is slow", "delay_enter=500000")
	}},
	{"failing disk", canTrace, func(r *row) (string, func() error, error) { return r.trace("okqd's disk fails", "error=EIO:when=1") }},
	{"SendGrid 429", nil, menu(faults.Sometimes(faults.TooMany, .5))},
	{"SendGrid 5xx", nil, menu(faults.Sometimes(faults.Unavailable, .5), faults.Sometimes(faults.BadGateway, .5))},
	{"SendGrid hangs", nil, menu(faults.Sometimes(faults.Hang, .5))},
	{"SendGrid takes mail and breaks off", nil, menu(faults.Sometimes(faults.AcceptReset, .3), faults.Sometimes(faults.AcceptHang, .3))},
	{"SendGrid refuses the key", nil, menu(faults.Always(faults.WrongKey))},
	{"disk full", func(r *row) bool { return r.sys.disk != nil }, fillDisk},
}

// victims are all programs that may die: SendGrid is not ours.
func (r *row) victims() (list []*program) {
	for _, p := range r.sys.programs {
		if p.name != "sendgrid" {
			list = append(list, p)
		}
	}
	return list
}

func (r *row) victim() *program { return r.pick(r.victims()) }

func (r *row) pick(list []*program) *program { return list[r.dice.IntN(len(list))] }

func (r *row) kill(list ...*program) (string, func() error, error) {
	what := "kill -9 of all processes"
	if len(list) == 1 {
		what = "kill -9 of " + list[0].name
	}
	for _, p := range list {
		p.kill()
	}
	return what, func() error {
		for _, p := range list {
			p.release()
		}
		return nil
	}, nil
}

func stopOne(r *row) (string, func() error, error) {
	p := r.victim()
	p.pause()
	return p.name + " stopped", func() error { p.resume(); return nil }, nil
}

func terminateOne(r *row) (string, func() error, error) {
	p := r.victim()
	p.terminate()
	return "SIGTERM to " + p.name, func() error { return nil }, nil
}

func (r *row) cut(links []*link) (string, func() error, error) {
	for _, l := range links {
		if err := l.cut(); err != nil {
			return "", nil, err
		}
	}
	what := "no way from " + links[0].name
	if len(links) > 1 {
		what = "no way to the database"
	}
	return what, func() error { return mendAll(links) }, nil
}

func (r *row) poison(how, toxic string) (string, func() error, error) {
	l := r.sys.network.links[r.dice.IntN(len(r.sys.network.links))]
	return fmt.Sprintf("the way from %s %s", l.name, how), func() error { return l.mend() }, l.poison(toxic)
}

func mendAll(links []*link) error {
	for _, l := range links {
		if err := l.mend(); err != nil {
			return err
		}
	}
	return nil
}

// menu is a fault on SendGrid's side, beside what it does all the time.
func menu(rules ...faults.Rule) func(*row) (string, func() error, error) {
	return func(r *row) (string, func() error, error) {
		mend := func() error { return r.sys.sendgrid.setFaults(r.seed, usual()...) }
		return fmt.Sprintf("SendGrid: %s", rules[0].Fault), mend, r.sys.sendgrid.setFaults(r.seed, append(rules, usual()...)...)
	}
}

func fillDisk(r *row) (string, func() error, error) {
	return "okqd's disk is full", r.sys.disk.empty, r.sys.disk.fill()
}
