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
type notes []note

// note is a line. Where the report has colors it is faint, unless people should read it as a text.
type note struct {
	line string
	text bool
}

func (n *notes) add(format string, args ...any) {
	*n = append(*n, note{line: fmt.Sprintf(format, args...)})
}

// quote adds the lines of a text, behind some space.
func (n *notes) quote(indent, text string) {
	for line := range strings.Lines(text) {
		*n = append(*n, note{strings.TrimRight(indent+line, " \n"), true})
	}
}

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
		n.quote("", err.Error())
	}
	fmt.Fprintf(r.w, "%s %2d  %-62s %7.1f ms\n", mark, r.steps, name, float64(took.Microseconds())/1000)
	for _, one := range n {
		switch {
		case one.line == "":
			fmt.Fprintln(r.w)
		case one.text:
			fmt.Fprintf(r.w, "         %s\n", one.line)
		default:
			fmt.Fprintf(r.w, "         %s\n", r.paint(termtext.Faint, one.line))
		}
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
