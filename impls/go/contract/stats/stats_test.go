package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The vectors are those of harness-sdk/src/stats.rs.

func box(t *testing.T, samples ...float64) BoxPlot {
	t.Helper()
	plot, ok := Box(samples)
	if !ok {
		t.Fatalf("no box of %v", samples)
	}
	return plot
}

func TestOneSampleIsAllFiveNumbers(t *testing.T) {
	plot := box(t, 3.5)
	if plot.Min != 3.5 || plot.Q1 != 3.5 || plot.Median != 3.5 || plot.Q3 != 3.5 || plot.Max != 3.5 || plot.Outliers != nil {
		t.Errorf("%+v", plot)
	}
}

func TestNoSpreadHasNoOutliers(t *testing.T) {
	plot := box(t, 2, 2, 2, 2, 2, 2, 2)
	if plot.Min != 2 || plot.Max != 2 || len(plot.Outliers) != 0 {
		t.Errorf("%+v", plot)
	}
}

func TestNothingAndNaNHaveNoBox(t *testing.T) {
	for _, samples := range [][]float64{nil, {1, math.NaN()}, {1, math.Inf(1)}} {
		if plot, ok := Box(samples); ok {
			t.Errorf("%v: %+v", samples, plot)
		}
	}
}

func TestQuartilesAreNumpys(t *testing.T) {
	// numpy.percentile([1, 2, 3, 4], [25, 50, 75]) == [1.75, 2.5, 3.25]
	plot := box(t, 4, 1, 3, 2)
	if plot.Q1 != 1.75 || plot.Median != 2.5 || plot.Q3 != 3.25 {
		t.Errorf("%+v", plot)
	}
}

func TestWhiskersStopAtSamplesAndOutliersKeepTheirOrder(t *testing.T) {
	plot := box(t, 100, 10, 11, 12, 13, -50, 12)
	if plot.Min != 10 || plot.Max != 13 || !slices.Equal(plot.Outliers, []float64{100, -50}) {
		t.Errorf("%+v", plot)
	}
}

func TestPercentilesNeedTenSamplesBeyond(t *testing.T) {
	var samples []float64
	for i := range 100 {
		samples = append(samples, float64(100-i))
	}
	for _, want := range []struct {
		p, value float64
		ok       bool
	}{{0.5, 50, true}, {0.9, 90, true}, {0.95, 0, false}} {
		if value, ok := Percentile(samples, want.p); value != want.value || ok != want.ok {
			t.Errorf("p%v: %v %v", want.p, value, ok)
		}
	}
	if _, ok := Percentile(nil, 0.5); ok {
		t.Error("a percentile of nothing")
	}
}

func TestAGigabyteInEightSecondsIsOneGbps(t *testing.T) {
	if got := Gbps(1_000_000_000, 8); got != 1 {
		t.Error(got)
	}
}

func TestTheFiveNumbersAreOrdered(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		samples := make([]float64, 1+random.IntN(200))
		for i := range samples {
			samples[i] = (random.Float64() - 0.5) * math.Pow(10, float64(random.IntN(10)))
		}
		plot := box(t, samples...)
		if plot.Q1 > plot.Median || plot.Median > plot.Q3 || plot.Min > plot.Max {
			t.Fatalf("%+v of %v", plot, samples)
		}
		if !slices.Contains(samples, plot.Min) || !slices.Contains(samples, plot.Max) {
			t.Fatalf("whiskers of %+v are no samples of %v", plot, samples)
		}
		for _, outlier := range plot.Outliers {
			if outlier >= plot.Min && outlier <= plot.Max {
				t.Fatalf("%v in %+v", outlier, plot)
			}
		}
	}
}
