package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// noisy returns times like those of a shared machine: the middle at typical, a skew, a slow
// drift, and one in fifty interrupted for long.
func noisy(n int, typical float64, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = typical + 3000*r.NormFloat64() + 5000*r.ExpFloat64() + 4000*math.Sin(float64(i)/500)
		if r.IntN(50) == 0 {
			x[i] += 400_000 * r.ExpFloat64()
		}
	}
	return x
}

func TestPlantedDifferenceIsFound(t *testing.T) {
	const n, typical = 5000, 250_000.
	slow, fast := noisy(n, 1.02*typical, 1), noisy(n, typical, 2)
	c := compare(slow, fast)
	if !c.differ() || c.largest() < threshold || c.ranks < threshold || c.within.signs < threshold {
		t.Errorf("2 %% more is not found: %+v", c)
	}
	if c.t[0] > threshold {
		t.Errorf("t of all times is %.2f: the noise is too small to show what cropping is for", c.t[0])
	}
	for name, i := range map[string]interval{"medians": c.medians, "within blocks": c.within.median} {
		if i.low > 0.02*typical || i.high < 0.02*typical || !i.excludesZero() {
			t.Errorf("%s: %v does not have the 5000 that were planted, or has 0", name, i)
		}
	}
	if back := compare(fast, slow); back.largest() > -threshold || !back.differ() {
		t.Errorf("less is not found: %+v", back)
	}
	if same := compare(noisy(n, typical, 3), fast); same.differ() || same.medians.excludesZero() ||
		same.within.median.excludesZero() {
		t.Errorf("a difference is found where there is none: %+v", same)
	}
}

func TestNothingLeftOfAClassDiffers(t *testing.T) {
	c := compare([]float64{1, 2, 3, 4}, []float64{11, 12, 13, 14})
	if !math.IsInf(c.largest(), 1) || !c.differ() {
		t.Errorf("%+v", c)
	}
	if c := compare([]float64{1, 2, 3, 4}, []float64{1, 2, 3}); c.within != nil {
		t.Errorf("classes of different sizes have blocks in common: %+v", c)
	}
}

// spin hashes times times.
func spin(name string, every, times int) subject {
	var sum [sha256.Size]byte
	return subject{name, every, func() (time.Duration, error) {
		start := time.Now()
		for range times {
			sum = sha256.Sum256(sum[:])
		}
		return time.Since(start), nil
	}}
}

// TestPlantedWorkIsFound uses real work and a real clock: 2 % more work is detected.
func TestPlantedWorkIsFound(t *testing.T) {
	times, err := measure(t.Context(), 2000,
		[]subject{spin("less", 1, 500), spin("more", 1, 510), spin("seldom", 10, 500)})
	if err != nil {
		t.Fatal(err)
	}
	if len(times[0]) != 2000 || len(times[1]) != 2000 || len(times[2]) != 200 {
		t.Errorf("%d, %d and %d times", len(times[0]), len(times[1]), len(times[2]))
	}
	if c := compare(times[1], times[0]); c.largest() < threshold || c.within.median.low <= 0 {
		t.Errorf("not found: %+v", c)
	}
}

func TestMeasureEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := measure(ctx, 1<<20, []subject{{"one", 1, func() (time.Duration, error) { cancel(); return 1, nil }}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	broken := errors.New("broken")
	_, err = measure(t.Context(), 100, []subject{{"one", 1, func() (time.Duration, error) { return 0, broken }}})
	if !errors.Is(err, broken) {
		t.Errorf("after an error: %v", err)
	}
}
