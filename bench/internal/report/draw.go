package report

import (
	"cmp"
	"fmt"
	"image/color"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const width, height = 7 * vg.Inch, 4 * vg.Inch

// Draw makes an SVG of each plot and returns their stems.
func Draw(folder string, points []Point) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	byPlot := map[string]map[string]plotter.XYs{}
	for _, p := range points {
		if byPlot[p.Plot] == nil {
			byPlot[p.Plot] = map[string]plotter.XYs{}
		}
		byPlot[p.Plot][p.Line] = append(byPlot[p.Plot][p.Line], plotter.XY{X: p.X, Y: p.Y})
	}
	stems := slices.Sorted(maps.Keys(byPlot))
	for _, stem := range stems {
		if err := drawOne(filepath.Join(folder, stem+".svg"), Plots[stem], byPlot[stem]); err != nil {
			return nil, fmt.Errorf("plot %s: %w", stem, err)
		}
	}
	return stems, nil
}

func drawOne(path string, axes Axes, lines map[string]plotter.XYs) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = axes.Title, axes.X, axes.Y
	p.BackgroundColor = color.White
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, !axes.FallsToTheRight
	p.Legend.XOffs = vg.Points(8)
	p.Add(plotter.NewGrid())
	var ticks []plot.Tick
	positive := true
	for i, name := range slices.Sorted(maps.Keys(lines)) {
		line := lines[name]
		slices.SortFunc(line, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		l, dots, err := plotter.NewLinePoints(line)
		if err != nil {
			return err
		}
		l.Color, dots.Color, dots.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
		l.Width = vg.Points(1.5)
		p.Add(l, dots)
		p.Legend.Add(name, l, dots)
		for _, xy := range line {
			ticks = append(ticks, plot.Tick{Value: xy.X, Label: label(xy.X)})
			positive = positive && xy.X > 0
		}
	}
	p.Y.Max *= 1.25 // the legend's room
	if len(ticks) < 30 {
		p.X.Tick.Marker = plot.ConstantTicks(ticks)
	}
	if positive {
		p.X.Scale = plot.LogScale{}
	}
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(6), -vg.Points(36), vg.Points(6), -vg.Points(6)))
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// label is a number of an axis: 1k, 2M.
func label(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprint(v)
}
