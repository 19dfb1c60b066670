// Package stats holds statistics as pure functions, each naming its method.
package stats

import (
	"math"
	"slices"
)

// BoxPlot is Tukey's box plot of samples.
type BoxPlot struct {
	// Min and Max are the lowest and the highest sample that is not an outlier.
	Min, Q1, Median, Q3, Max float64
	// Outliers lie beyond 1.5 interquartile ranges from the quartiles; in the order they were taken.
	Outliers []float64
}

// Box makes the box plot of samples. ok is false without samples, or where one is not a finite
// number: there is nothing true to say.
func Box(samples []float64) (plot BoxPlot, ok bool) {
	notFinite := func(sample float64) bool { return math.IsNaN(sample) || math.IsInf(sample, 0) }
	if len(samples) == 0 || slices.ContainsFunc(samples, notFinite) {
		return BoxPlot{}, false
	}
	sorted := slices.Sorted(slices.Values(samples))
	plot = BoxPlot{
		Q1:     Quantile(sorted, 0.25),
		Median: Quantile(sorted, 0.5),
		Q3:     Quantile(sorted, 0.75),
	}
	reach := 1.5 * (plot.Q3 - plot.Q1)
	outlies := func(sample float64) bool { return sample < plot.Q1-reach || sample > plot.Q3+reach }
	for _, sample := range samples {
		if outlies(sample) {
			plot.Outliers = append(plot.Outliers, sample)
		}
	}
	// The quartiles lie between samples that are inside, so there is always one.
	inside := slices.DeleteFunc(sorted, outlies)
	plot.Min, plot.Max = inside[0], inside[len(inside)-1]
	return plot, true
}

// Quantile gives quantile p (0 to 1) of ascending, non-empty sorted by linear interpolation at
// p·(n−1): type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996).
func Quantile(sorted []float64, p float64) float64 {
	position := p * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(position))], sorted[int(math.Ceil(position))]
	return below + (above-below)*(position-math.Floor(position))
}

// minSamplesBeyond is how many samples must lie beyond a percentile: n·(1−p) ≥ 10.
const minSamplesBeyond = 10

// Percentile gives the nearest-rank percentile p (0 to 1) of samples in any order; ok is false
// where fewer than ten samples lie beyond it.
func Percentile(samples []float64, p float64) (value float64, ok bool) {
	count := float64(len(samples))
	// 1 - 0.9 is a little below a tenth: 100 samples must do for p90.
	if count*(1-p)+1e-6 < minSamplesBeyond {
		return 0, false
	}
	rank := max(int(math.Ceil(p*count-1e-6)), 1)
	return slices.Sorted(slices.Values(samples))[rank-1], true
}

// Gbps is goodput: bytes × 8 / seconds / 10⁹.
func Gbps(bytes uint64, seconds float64) float64 {
	return float64(bytes) * 8 / seconds / 1e9
}
