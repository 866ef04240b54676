package console

import (
	"fmt"
	"strings"
)

// A ratesPlot is the share of spam reports day by day, today at the right, with the lines it should stay below.
type ratesPlot struct {
	Label string
	Path  string
	Dots  []dot
	Lines []threshold
}

type dot struct {
	X, Y  float64
	Title string
}

type threshold struct {
	Y     float64
	Class string
	Text  string
}

const (
	ratesWidth, ratesHeight = 720.0, 160.0
	ratesMargin             = 8.0
)

func plotSpam(days []*day) ratesPlot {
	top := spamBad * 4 / 3
	for _, d := range days {
		if d.all.Delivered > 0 {
			top = max(top, float64(d.all.Spam)/float64(d.all.Delivered)*1.1)
		}
	}
	y := func(share float64) float64 { return ratesMargin + (ratesHeight-2*ratesMargin)*(1-share/top) }
	p := ratesPlot{Lines: []threshold{
		{y(spamWarn), "warn", "0.1 %: stay below"}, {y(spamBad), "bad", "0.3 %: never reach"},
	}}
	var path strings.Builder
	worst := 0.0
	for i, d := range days {
		if d.all.Delivered == 0 {
			continue
		}
		share := float64(d.all.Spam) / float64(d.all.Delivered)
		worst = max(worst, share)
		x := ratesWidth - ratesMargin - float64(i)*(ratesWidth-2*ratesMargin)/(healthDays-1)
		command := "L"
		if path.Len() == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f ", command, x, y(share))
		p.Dots = append(p.Dots, dot{x, y(share), d.date.Format("2 Jan") + ": " + percent(share)})
	}
	p.Path = path.String()
	p.Label = fmt.Sprintf("Spam reports of what was delivered, by day, at most %s", percent(worst))
	return p
}
