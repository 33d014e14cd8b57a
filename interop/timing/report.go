package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// pair names two classes to compare.
type pair struct{ a, b int }

// The pairs that must not be distinguishable, those that show the effect of noise on the
// same statistics, and those that may differ.
var (
	secret   = []pair{{keyFails, cekLength}, {keyFails, tagFails}, {cekLength, tagFails}}
	control  = []pair{{keyFails, keyFailsAgain}}
	reported = []pair{{signatureFails, tagFails}, {succeeds, tagFails}}
)

// section is the result for one layer with one engine.
type section struct {
	layer, engine string
	share         float64 // of the processor
	classes       []class
	times         [][]float64
}

func (s section) compare(p pair) comparison { return compare(s.times[p.a], s.times[p.b]) }

func (s section) write(w io.Writer) {
	fmt.Fprintf(w, "\n### %s, %s\n\nThe process had the core for %.1f %% of the time.\n\n", s.layer, s.engine,
		100*s.share)
	fmt.Fprintln(w,
		"| class (µs) | n | mean | standard deviation | 1 % | median | 99 % |\n|---|--:|--:|--:|--:|--:|--:|")
	for i, c := range s.classes {
		x := summarize(s.times[i])
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s | %s | %s |\n", c.name, x.n, micro(x.mean), micro(x.deviation),
			micro(x.percentile1), micro(x.median), micro(x.percentile99))
	}
	fmt.Fprint(w, "\n| pair | ")
	for _, p := range crops {
		if p == 1 {
			fmt.Fprint(w, "t | ")
		} else {
			fmt.Fprintf(w, "t ≤ %g %% | ", 100*p)
		}
	}
	fmt.Fprintf(w, "ranks | signs | medians (ns) | within blocks (ns) | verdict |\n|---|%s---|\n",
		strings.Repeat("--:|", len(crops)+4))
	s.writePairs(w, secret, "same", "**differ**")
	s.writePairs(w, control, "control: same", "**control: differ**")
	s.writePairs(w, reported, "reported only", "reported only")
	fmt.Fprintf(w, "\n%s\n", s.verdict())
}

func (s section) writePairs(w io.Writer, pairs []pair, same, differ string) {
	for _, p := range pairs {
		c := s.compare(p)
		fmt.Fprintf(w, "| %s − %s | ", s.classes[p.a].name, s.classes[p.b].name)
		for _, v := range c.statistics() {
			fmt.Fprintf(w, "%s | ", statistic(v))
		}
		if c.within == nil {
			fmt.Fprintf(w, "— | %s | — | ", c.medians)
		} else {
			fmt.Fprintf(w, "%s | %s | ", c.medians, c.within.median)
		}
		verdict := same
		if c.differ() {
			verdict = differ
		}
		fmt.Fprintf(w, "%s |\n", verdict)
	}
}

// verdict returns one sentence. If a control differs, the other results are worthless.
func (s section) verdict() string {
	for _, p := range control {
		if s.compare(p).differ() {
			return "**The control differs: this run shows nothing. Measure again on a quiet machine.**"
		}
	}
	var most comparison
	told := 0
	for _, p := range secret {
		c := s.compare(p)
		if c.differ() {
			told++
		}
		if math.Abs(c.largest()) >= math.Abs(most.largest()) {
			most = c
		}
	}
	if told > 0 {
		return fmt.Sprintf("**%d of %d pairs that must be the same differ; the largest statistic is %.2f.**", told,
			len(secret), most.largest())
	}
	return fmt.Sprintf("No pair that must be the same differs: the largest statistic is %.2f, below %.1f.",
		math.Abs(most.largest()), threshold)
}

func (i interval) String() string {
	return fmt.Sprintf("%+.0f [%+.0f, %+.0f]", i.estimate, i.low, i.high)
}

// statistic omits what a crop leaves undefined, because no value of one class is left.
func statistic(v float64) string {
	if math.IsNaN(v) {
		return "—"
	}
	return fmt.Sprintf("%+.2f", v)
}

func micro(ns float64) string { return fmt.Sprintf("%.2f", ns/1000) }
