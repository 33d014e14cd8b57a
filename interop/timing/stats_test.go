package main

import (
	"math"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %.12g, not %.12g", what, got, want)
	}
}

// Variances are 5/2 and 10, so t is -3 by the root of 1/2 + 2.
func TestWelch(t *testing.T) {
	a, b := []float64{1, 2, 3, 4, 5}, []float64{2, 4, 6, 8, 10}
	near(t, "t", welch(a, b), -3/math.Sqrt(2.5))
	near(t, "t the other way", welch(b, a), 3/math.Sqrt(2.5))
	// Of different sizes: means 2 and 13/2, variances 1 and 5/3.
	near(t, "t of sizes 3 and 4", welch([]float64{1, 2, 3}, []float64{5, 6, 7, 8}), -4.5/math.Sqrt(1./3+5./12))
	near(t, "t of the same", welch(a, a), 0)
	near(t, "t of constants", welch([]float64{4, 4, 4}, []float64{4, 4}), 0)
	near(t, "t of nothing", welch(a, nil), math.NaN())
}

// A large mean must not cancel the variance.
func TestWelchFarFromZero(t *testing.T) {
	const far = 1e9
	near(t, "t",
		welch([]float64{far + 1, far + 2, far + 3, far + 4, far + 5},
			[]float64{far + 2, far + 4, far + 6, far + 8, far + 10}), -3/math.Sqrt(2.5))
}

func TestQuantile(t *testing.T) {
	x := []float64{10, 20, 30, 40}
	for p, want := range map[float64]float64{0: 10, 0.25: 17.5, 0.5: 25, 0.9: 37, 1: 40} {
		near(t, "quantile", quantile(x, p), want)
	}
	near(t, "quantile of one", quantile(x[:1], 0.3), 10)
	near(t, "quantile of none", quantile(nil, 0.5), math.NaN())
}

func TestSummarize(t *testing.T) {
	s := summarize([]float64{5, 1, 4, 2, 3})
	if s.n != 5 {
		t.Errorf("n is %d", s.n)
	}
	near(t, "mean", s.mean, 3)
	near(t, "deviation", s.deviation, math.Sqrt(2.5))
	near(t, "1 %", s.percentile1, 1.04)
	near(t, "median", s.median, 3)
	near(t, "99 %", s.percentile99, 4.96)
}

// Pooled, 1 to 10, the median is 5.5.
func TestCrop(t *testing.T) {
	a, b := crop([]float64{1, 2, 3, 9}, []float64{4, 5, 6, 7, 8, 10}, 0.5)
	if !slices.Equal(a, []float64{1, 2, 3}) || !slices.Equal(b, []float64{4, 5}) {
		t.Errorf("left are %v and %v", a, b)
	}
	a, b = crop([]float64{1, 1, 1}, []float64{1, 2, 2}, 0.5)
	if len(a) != 3 || len(b) != 1 {
		t.Errorf("what equals the quantile is not kept: %v and %v", a, b)
	}
}

func TestMannWhitney(t *testing.T) {
	// U is 0 where 9/2 is expected; the variance is 9·7/12.
	near(t, "separate", mannWhitney([]float64{1, 2, 3}, []float64{4, 5, 6}), -4.5/math.Sqrt(5.25))
	near(t, "separate, the other way", mannWhitney([]float64{4, 5, 6}, []float64{1, 2, 3}), 4.5/math.Sqrt(5.25))
	// The three 2s have rank 3: U is 7-6; the variance is 9/12·(7-24/30).
	near(t, "ties", mannWhitney([]float64{1, 2, 2}, []float64{2, 3, 4}), -3.5/math.Sqrt(4.65))
	near(t, "the same", mannWhitney([]float64{1, 2, 3}, []float64{1, 2, 3}), 0)
	near(t, "constants", mannWhitney([]float64{7, 7}, []float64{7, 7, 7}), 0)
}

func TestSignTest(t *testing.T) {
	near(t, "seven of nine", signTest([]float64{1, 2, 0, 3, -1, 4, 5, -9, 6, 7}), 5./3)
	near(t, "ties only", signTest(make([]float64, 4)), 0)
}

// Of 1 to 99, two standard errors of the rank, √99, reach from 40 to 60: a
// quarter of 20. The confidence of 99 % reaches 12.8 ranks to either side.
func TestMedians(t *testing.T) {
	x := make([]float64, 99)
	for i := range x {
		x[i] = float64(i + 1)
	}
	near(t, "error", medianError(x), 5)
	shifted := slices.Clone(x)
	for i := range shifted {
		shifted[i] += 100
	}
	d := medianDifference(shifted, x)
	near(t, "difference", d.estimate, 100)
	near(t, "low", d.low, 100-z99*5*math.Sqrt2)
	near(t, "high", d.high, 100+z99*5*math.Sqrt2)
	m := medianOf(x)
	near(t, "median", m.estimate, 50)
	near(t, "its low", m.low, 37)
	near(t, "its high", m.high, 63)
	if !d.excludesZero() || !m.excludesZero() || (interval{1, -1, 3}).excludesZero() {
		t.Error("excludesZero is wrong")
	}
}
