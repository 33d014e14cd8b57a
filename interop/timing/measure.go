package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// subject is one class to be measured.
type subject struct {
	name  string
	every int                           // takes part in one block of so many
	once  func() (time.Duration, error) // does one operation, times it, and checks the result
}

// The number of blocks between garbage collections, and of blocks after one that are not
// counted, because the collector emptied the caches.
const (
	between = 64
	settle  = 2
)

// measure runs n blocks that count. Each block runs every subject whose turn it is once, in
// a random order, so that drift affects all alike. The collector runs only between blocks.
// The result holds each subject's times in nanoseconds in the order of the blocks.
func measure(ctx context.Context, n int, subjects []subject) ([][]float64, error) {
	times := make([][]float64, len(subjects))
	order := make([]int, len(subjects))
	for i, s := range subjects {
		times[i] = make([]float64, 0, n/s.every+1)
		order[i] = i
	}
	run := func(block int, counts bool) error {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			if block%subjects[i].every != 0 {
				continue
			}
			took, err := subjects[i].once()
			if ctx.Err() != nil { // the end of ctx also ends the measured operation
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			if counts {
				times[i] = append(times[i], float64(took.Nanoseconds()))
			}
		}
		return nil
	}
	for range max(settle, n/100) { // processor and heap warm up
		if err := run(0, false); err != nil {
			return nil, err
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for block := range n {
		if block%between == 0 {
			runtime.GC()
			for range settle {
				if err := run(0, false); err != nil {
					return nil, err
				}
			}
		}
		if err := run(block, true); err != nil {
			return nil, err
		}
	}
	return times, nil
}
