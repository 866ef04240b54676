package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

// beyond are the targets that no program here can measure.
var beyond = []report.Line{
	{What: "Enqueue", Target: "8x postmaster 0.4.0", Why: "0.4.0 cannot be built any more: okq-go, which it needs, cannot be had"},
	{What: "redis engine", Target: "3x the original okq on the same Redis", Why: "the original server cannot be had; only its protocol and its keys are known"},
}

func verdict(l report.Line) string {
	if l.Met {
		return "met"
	}
	return "**not met**: " + l.Why
}

func writeTargets(b *strings.Builder, lines []report.Line) {
	b.WriteString("## Targets\n\n| what | ours | against | ratio | target | |\n|---|---|---|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", l.What, l.Value, l.Against, l.Ratio, l.Target, verdict(l))
	}
	for _, l := range beyond {
		fmt.Fprintf(b, "| %s | | | | %s | not measured: %s |\n", l.What, l.Target, l.Why)
	}
}

// tableText is the same for a terminal.
func tableText(lines []report.Line) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nwhat\tours\tagainst\tratio\ttarget\t")
	for _, l := range lines {
		met := "met"
		if !l.Met {
			met = "NOT MET"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.What, l.Value, l.Against, l.Ratio, l.Target, met)
	}
	w.Flush()
	return b.String()
}
