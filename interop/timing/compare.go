package main

import (
	"math"
	"slices"
)

// threshold is the |t| that the literature (test vector leakage assessment, and dudect
// after it) regards as a leak.
const threshold = 4.5

// crops are the pooled quantiles at which t is computed; 1 is all values.
var crops = []float64{1, 0.99, 0.9, 0.5}

// comparison holds the statistics of two classes. Positive values mean that the first takes
// longer.
type comparison struct {
	t       []float64 // for each of crops
	ranks   float64   // Mann-Whitney
	medians interval
	within  *within // nil if the classes were not measured in the same blocks
}

// within holds the statistics of the differences within blocks. Changes from block to
// block, such as the processor's clock, cancel out.
type within struct {
	signs  float64 // sign test
	median interval
}

// compare takes times in the order in which they were measured.
func compare(a, b []float64) comparison {
	sortedA, sortedB := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	c := comparison{ranks: mannWhitney(sortedA, sortedB), medians: medianDifference(sortedA, sortedB)}
	for _, p := range crops {
		if p < 1 {
			c.t = append(c.t, welch(crop(sortedA, sortedB, p)))
		} else {
			c.t = append(c.t, welch(sortedA, sortedB))
		}
	}
	if len(a) == len(b) {
		differences := make([]float64, len(a))
		for i := range a {
			differences[i] = a[i] - b[i]
		}
		c.within = &within{signTest(differences), medianOf(differences)}
	}
	return c
}

// statistics returns all statistics that the threshold applies to.
func (c comparison) statistics() []float64 {
	all := append(slices.Clone(c.t), c.ranks)
	if c.within != nil {
		all = append(all, c.within.signs)
	}
	return all
}

// largest returns the statistic that is farthest from 0. If one is not a number (a crop
// without values of one class), it returns infinity.
func (c comparison) largest() float64 {
	most := 0.0
	for _, v := range c.statistics() {
		if math.IsNaN(v) {
			return math.Inf(1)
		}
		if math.Abs(v) > math.Abs(most) {
			most = v
		}
	}
	return most
}

// differ reports whether any statistic reaches the threshold.
func (c comparison) differ() bool { return math.Abs(c.largest()) >= threshold }
