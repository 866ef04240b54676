// Package report is how the measuring programs hand their figures to `make bench`, which makes one table and the plots
// of them. A program that runs on its own only prints.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// EnvFile names the file that figures are appended to, one JSON object a line.
const EnvFile = "PM_BENCH_FIGURES"

// figure is a line of the table of targets, a point of a plot, or a cost.
type figure struct {
	Line  *Line  `json:",omitempty"`
	Point *Point `json:",omitempty"`
	Cost  *Cost  `json:",omitempty"`
}

// All is everything that was measured.
type All struct {
	Lines  []Line
	Points []Point
	Costs  []Cost
}

// A Line holds one figure of ours against a target.
type Line struct {
	What    string
	Value   string // ours, with its unit
	Against string // what it is compared with, and that one's figure; may be empty
	Ratio   string // with its spread over the turns; may be empty
	Target  string
	Met     bool
	Why     string // it is not met, and what would meet it
}

// Noise is why a target that is met on a quiet machine was not.
const Noise = "it is met on a quiet machine: measure again"

// A Point belongs to a line in a plot.
type Point struct {
	Plot, Line string
	X, Y       float64
}

// Add hands a line on.
func Add(l Line) error { return add(figure{Line: &l}) }

// AddPoint hands a point on.
func AddPoint(plot, line string, x, y float64) error {
	return add(figure{Point: &Point{plot, line, x, y}})
}

func add(f figure) (err error) {
	path := os.Getenv(EnvFile)
	if path == "" {
		return nil
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", EnvFile, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.Write(append(b, '\n'))
	return err
}

// Read returns the figures in a file.
func Read(path string) (all All, err error) {
	file, err := os.Open(path)
	if err != nil {
		return all, err
	}
	defer file.Close()
	for d := json.NewDecoder(file); d.More(); {
		var f figure
		if err := d.Decode(&f); err != nil {
			return all, fmt.Errorf("%s: %w", path, err)
		}
		switch {
		case f.Line != nil:
			all.Lines = append(all.Lines, *f.Line)
		case f.Point != nil:
			all.Points = append(all.Points, *f.Point)
		case f.Cost != nil:
			all.Costs = append(all.Costs, *f.Cost)
		}
	}
	return all, nil
}
