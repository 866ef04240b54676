package main

import (
	"fmt"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

// A target is a rate of ours that is to be at least a share of another's.
type target struct {
	what    string
	ours    []result // turn by turn
	against string
	theirs  []result
	share   float64
	why     string
}

func targets(all ...target) error {
	for _, t := range all {
		ratio, spread := report.SpreadOf(t.ours, t.theirs)
		err := report.Add(report.Line{
			What: t.what, Value: fmt.Sprintf("%.0f/s", median(t.ours).Rate()), Against: fmt.Sprintf("%s: %.0f/s", t.against, median(t.theirs).Rate()),
			Ratio: spread, Target: fmt.Sprintf(">= %v", t.share), Met: ratio >= t.share, Why: t.why,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// atMost reports a value that is to be no larger than a limit.
func atMost(what, unit string, value, limit float64, why string) error {
	return report.Add(report.Line{
		What: what, Value: fmt.Sprintf("%.2f%s", value, unit), Target: fmt.Sprintf("<= %v%s", limit, unit), Met: value <= limit, Why: why,
	})
}
