package console

import (
	"fmt"
	"strings"
	"time"
)

// A plot is a small picture of the last hour, whose right edge is now.
type plot struct {
	Label string // in words, for those who do not see it
	Scale string // what the upper edge stands for; empty when there is nothing to see
	Most  float64
	Lines []line
}

// A line is one row of values.
type line struct {
	Class string
	Path  string // of SVG
	Area  string // under it
}

// The plot's own units; the page stretches it.
const (
	plotWidth  = 360
	plotHeight = 40
)

func depthPlot(points []point, now time.Time) plot {
	p := plot{}
	for _, pt := range points {
		p.Most = max(p.Most, float64(pt.total))
	}
	p.Label = fmt.Sprintf("Depth in the last hour, at most %s", count(int(p.Most)))
	if p.Most > 0 {
		p.Scale = count(int(p.Most))
	}
	p.Lines = []line{draw("depth", points, now, p.Most, func(pt point) float64 { return float64(pt.total) })}
	return p
}

func ratePlot(points []point, now time.Time) plot {
	p := plot{}
	for _, pt := range points {
		p.Most = max(p.Most, pt.in, pt.out)
	}
	p.Label = fmt.Sprintf("Events in and out in the last hour, at most %s a second", perSecond(p.Most))
	if p.Most > 0 {
		p.Scale = perSecond(p.Most) + "/s"
	}
	p.Lines = []line{
		draw("in", points, now, p.Most, func(pt point) float64 { return pt.in }),
		draw("out", points, now, p.Most, func(pt point) float64 { return pt.out }),
	}
	return p
}

// gap is how far apart two points are that no line connects: the console or okq was away.
const gap = 3 * pointLength

// draw makes the line of a value; negative ones are left out.
func draw(class string, points []point, now time.Time, most float64, value func(point) float64) line {
	var path, area strings.Builder
	most = max(most, 1)
	var start, last float64 // x of the stretch being drawn
	var lastAt time.Time
	finish := func() {
		if !lastAt.IsZero() {
			fmt.Fprintf(&area, "L%.1f %d L%.1f %d Z", last, plotHeight, start, plotHeight)
		}
		lastAt = time.Time{}
	}
	for _, pt := range points {
		age := now.Sub(pt.at)
		v := value(pt)
		if age > plotted || v < 0 {
			finish()
			continue
		}
		x := plotWidth * (1 - age.Seconds()/plotted.Seconds())
		y := plotHeight - 1 - (plotHeight-2)*v/most
		command := "L"
		if lastAt.IsZero() || pt.at.Sub(lastAt) > gap {
			finish()
			command, start = "M", x
		}
		fmt.Fprintf(&path, "%s%.1f %.1f ", command, x, y)
		fmt.Fprintf(&area, "%s%.1f %.1f ", command, x, y)
		last, lastAt = x, pt.at
	}
	finish()
	return line{Class: class, Path: path.String(), Area: area.String()}
}
