package main

import (
	"math"
	"slices"
)

// summary describes times in nanoseconds.
type summary struct {
	n                                 int
	mean, deviation                   float64
	percentile1, median, percentile99 float64
}

func summarize(times []float64) summary {
	sorted := slices.Sorted(slices.Values(times))
	mean, variance := moments(sorted)
	return summary{len(sorted), mean, math.Sqrt(variance), quantile(sorted, 0.01), quantile(sorted, 0.5),
		quantile(sorted, 0.99)}
}

// moments returns the mean and the unbiased variance, in two passes: the mean is
// large compared with the deviation.
func moments(x []float64) (mean, variance float64) {
	if len(x) < 2 {
		return math.NaN(), math.NaN()
	}
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

// quantile interpolates between the order statistics around 1 + p(n-1)
// (Hyndman and Fan's seventh definition).
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// welch is Welch's t of a against b: positive if a takes longer. It is 0 for equal means of
// values that do not vary.
func welch(a, b []float64) float64 {
	meanA, varianceA := moments(a)
	meanB, varianceB := moments(b)
	difference, deviation := meanA-meanB, math.Sqrt(varianceA/float64(len(a))+varianceB/float64(len(b)))
	if difference == 0 && deviation == 0 {
		return 0
	}
	return difference / deviation
}

// crop returns the values of both that are at most the quantile p of the two together.
// Rare, long interruptions are not caused by the program under test, and would hide its
// times.
func crop(sortedA, sortedB []float64, p float64) (a, b []float64) {
	limit := quantile(slices.Sorted(slices.Values(slices.Concat(sortedA, sortedB))), p)
	below := func(x []float64) []float64 {
		return x[:upperBound(x, limit)]
	}
	return below(sortedA), below(sortedB)
}

// upperBound returns the number of values that are at most limit.
func upperBound(sorted []float64, limit float64) int {
	i, _ := slices.BinarySearchFunc(sorted, limit, func(v, limit float64) int {
		if v <= limit {
			return -1
		}
		return 1
	})
	return i
}

// mannWhitney is the rank-sum statistic as a standard normal, corrected for ties: positive
// if a takes longer. It detects a shift of the whole distribution and ignores the distance
// of outliers.
func mannWhitney(sortedA, sortedB []float64) float64 {
	n, m := float64(len(sortedA)), float64(len(sortedB))
	var rankSum, ties float64
	i, j, before := 0, 0, 0.0
	for i < len(sortedA) || j < len(sortedB) {
		value := math.Inf(1)
		if i < len(sortedA) {
			value = sortedA[i]
		}
		if j < len(sortedB) {
			value = min(value, sortedB[j])
		}
		inA, inB := upperBound(sortedA[i:], value), upperBound(sortedB[j:], value)
		tied := float64(inA + inB)
		rankSum += float64(inA) * (before + (tied+1)/2)
		ties += tied*tied*tied - tied
		before += tied
		i, j = i+inA, j+inB
	}
	u := rankSum - n*(n+1)/2
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if variance == 0 {
		return 0
	}
	return (u - n*m/2) / math.Sqrt(variance)
}

// z99 is the standard normal's quantile for a two-sided confidence of 99 %.
const z99 = 2.5758293035489004

// interval is an estimate with its 99 % confidence interval.
type interval struct{ estimate, low, high float64 }

func (i interval) excludesZero() bool { return i.low > 0 || i.high < 0 }

// medianDifference is the median of a minus that of b. The standard error of each is
// estimated from order statistics (Price and Bonett), so no distribution is assumed.
func medianDifference(sortedA, sortedB []float64) interval {
	half := z99 * math.Hypot(medianError(sortedA), medianError(sortedB))
	d := quantile(sortedA, 0.5) - quantile(sortedB, 0.5)
	return interval{d, d - half, d + half}
}

// medianError is the standard error of the median: a quarter of the distance between the
// order statistics two standard errors of its rank to either side.
func medianError(sorted []float64) float64 {
	low, high := medianRanks(len(sorted), 2)
	return (sorted[high] - sorted[low]) / 4
}

// medianOf is the median of differences, with the interval of the sign test.
func medianOf(differences []float64) interval {
	sorted := slices.Sorted(slices.Values(differences))
	low, high := medianRanks(len(sorted), z99)
	return interval{quantile(sorted, 0.5), sorted[low], sorted[high]}
}

// signTest counts signs, as a standard normal: positive if most differences are. Ties do
// not count.
func signTest(differences []float64) float64 {
	var positive, negative float64
	for _, d := range differences {
		if d > 0 {
			positive++
		} else if d < 0 {
			negative++
		}
	}
	if positive+negative == 0 {
		return 0
	}
	return (positive - negative) / math.Sqrt(positive+negative)
}

// medianRanks are the indices z standard errors, √n/2 each, around the median's.
func medianRanks(n int, z float64) (low, high int) {
	away := z * math.Sqrt(float64(n)) / 2
	low = max(0, int(math.Floor(float64(n)/2-away)))
	return low, n - 1 - low
}
