package demo

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

// report writes what the demo does, step by step, as it happens.
type report struct {
	w      io.Writer
	color  bool
	steps  int
	failed int
}

func (r *report) paint(c termtext.Color, text string) string {
	if !r.color {
		return text
	}
	return c.Paint(text)
}

func (r *report) part(title string) {
	fmt.Fprintf(r.w, "\n%s\n", r.paint(termtext.Bold, title))
}

// notes are the lines under a step.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// step runs one step and writes its line: whether it did what it should, its name,
// and the time that it took.
func (r *report) step(name string, work func(*notes) error) {
	var n notes
	start := time.Now()
	err := work(&n)
	took := time.Since(start)
	r.steps++
	mark := r.paint(termtext.Green, "ok  ")
	if err != nil {
		r.failed++
		mark = r.paint(termtext.Red, "FAIL")
		n.add("%v", err)
	}
	fmt.Fprintf(r.w, "%s %2d  %-62s %7.1f ms\n", mark, r.steps, name, float64(took.Microseconds())/1000)
	for _, line := range n {
		if strings.TrimSpace(line) == "" {
			fmt.Fprintln(r.w)
			continue
		}
		fmt.Fprintf(r.w, "         %s\n", r.paint(termtext.Faint, line))
	}
}

// expect runs a step that must fail with the error want.
func (r *report) expect(name string, want error, work func(*notes) error) {
	r.step(name, func(n *notes) error { return wanted(n, want, work(n)) })
}

// wanted returns nil for the error want, and writes it under the step.
func wanted(n *notes, want, err error) error {
	if err == nil {
		return fmt.Errorf("it succeeded; the error %q was expected", want)
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("the error %q was expected, not: %w", want, err)
	}
	n.add("%v", err)
	return nil
}
