package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// faulty are the promises that were broken.
func (v *verdict) faulty() (list []string) {
	for _, p := range []struct {
		broken bool
		what   string
	}{
		{!v.drained.done, "the queues did not drain"},
		{v.lost > 0, fmt.Sprintf("%d mails lost", v.lost)},
		{v.unexplained > 0, fmt.Sprintf("%d mails sent twice without a reason", v.unexplained)},
		{v.late > 0, fmt.Sprintf("%d mails sent after an opt-out", v.late)},
		{v.keysTwice > 0, fmt.Sprintf("%d idempotency keys with two mails", v.keysTwice)},
		{v.unfolded > 0, fmt.Sprintf("%d events not folded", v.unfolded)},
		{v.panics > 0, fmt.Sprintf("%d panics", v.panics)},
		{slices.ContainsFunc(v.row.events, func(e event) bool { return !e.recovery.ok }), "no recovery within " + recoveryLimit.String()},
	} {
		if p.broken {
			list = append(list, p.what)
		}
	}
	return list
}

// markdown is the report of a row.
func (v *verdict) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### okqd on %s: %v of faults, seed %d, %v mails/s\n\n", v.row.name, v.row.duration, v.row.seed, v.row.rate)
	line := func(name string, value any) { fmt.Fprintf(&b, "| %s | %v |\n", name, value) }
	b.WriteString("| | |\n|---|---|\n")
	line("Enqueue called; answered with an error or not at all", fmt.Sprintf("%d; %d", v.ledger.called, v.ledger.refused))
	line("mails acknowledged", len(v.ledger.acked))
	line("of these accepted by SendGrid", v.sent)
	line("held, as asked, for an unknown outcome, and not with SendGrid", v.heldUnsent)
	line("dropped by an operator; recipient opted out", fmt.Sprintf("%d; %d", v.dropped, v.optedOut))
	line("**lost**", v.lost)
	line("outcomes that a worker did not learn", v.ledger.unknown)
	line("sent twice because of that, as asked", v.explained)
	line("**sent twice without a reason**", v.unexplained)
	line("operators: letters requeued; letters dropped; pauses; opt-outs; moves of preferences", v.did)
	line(fmt.Sprintf("**sent more than %v after an opt-out** (during faults that delay what was begun)", optOutGrace), fmt.Sprintf("%d (%d)", v.late, v.unjudged))
	line("**idempotency keys with two mails**", v.keysTwice)
	line("webhook POSTs; not answered 200", fmt.Sprintf("%d; %d", v.posts, v.fell))
	line("events answered 200", v.told)
	line("**of these not folded**", v.unfolded)
	line("processes that ended by themselves (okqd that finds no Redis when it starts); panics", fmt.Sprintf("%d; %d", v.ends, v.panics))
	line("drained after", v.drained.took.Round(time.Second))
	if len(v.row.sys.sentinels) > 0 {
		line("failovers of Redis", v.row.failovers)
	}
	if v.row.sys.noDisk != "" {
		line("no disk to fill", v.row.sys.noDisk)
	}
	b.WriteString("\n" + v.faultTable())
	if broken := v.faulty(); len(broken) > 0 {
		fmt.Fprintf(&b, "\nBROKEN: %s\n", strings.Join(broken, "; "))
	}
	return b.String()
}

// faultTable is how long each kind of fault took to recover from. Two at once count for both.
func (v *verdict) faultTable() string {
	var b strings.Builder
	b.WriteString("| fault | times | recovered after, median | longest |\n|---|---|---|---|\n")
	for _, f := range faultKinds {
		var took []time.Duration
		for _, e := range v.row.events {
			if slices.Contains(e.kinds, f.kind) {
				took = append(took, e.recovery.took)
			}
		}
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		const to = 10 * time.Millisecond
		fmt.Fprintf(&b, "| %s | %d | %v | %v |\n", f.kind, len(took), took[len(took)/2].Round(to), took[len(took)-1].Round(to))
	}
	return b.String()
}
