package report

import (
	"fmt"
	"slices"
)

// SpreadOf is Spread of the rates of ours and theirs, turn by turn.
func SpreadOf[R interface{ Rate() float64 }](ours, theirs []R) (median float64, text string) {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i].Rate() / theirs[i].Rate()
	}
	return Spread(ratios)
}

// Spread is the median of the ratios of several turns, and its text with the least and the most of them.
func Spread(ratios []float64) (median float64, text string) {
	sorted := slices.Sorted(slices.Values(ratios))
	median = sorted[len(sorted)/2]
	if len(sorted) == 1 {
		return median, fmt.Sprintf("%.2f", median)
	}
	return median, fmt.Sprintf("%.2f (%.2f to %.2f)", median, sorted[0], sorted[len(sorted)-1])
}
