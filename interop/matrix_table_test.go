package interop

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// table collects the results of cells that run in parallel.
type table struct {
	mu    sync.Mutex
	rows  []string
	cells map[string]*cell // by row and flow
}

func newTable() *table { return &table{cells: map[string]*cell{}} }

// cell is one peer, RSA size and flow.
type cell struct {
	start    time.Time
	messages int
	limited  int // known limits of the peer, not in messages
	took     time.Duration
	verdict  string // empty: has not ended
}

func (c *cell) add(messages, limited int) {
	c.messages += messages
	c.limited += limited
}

func (r *table) cell(row, column string) *cell {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.rows, row) {
		r.rows = append(r.rows, row)
	}
	c := &cell{start: time.Now()}
	r.cells[row+column] = c
	return c
}

// end fails a cell that sent fewer messages than it should.
func (c *cell) end(t *testing.T, want int) {
	c.took = time.Since(c.start)
	if t.Skipped() {
		c.verdict = "skipped"
		return
	}
	if !t.Failed() && c.messages+c.limited != want {
		t.Errorf("%d messages and %d known limits, not %d", c.messages, c.limited, want)
	}
	c.verdict = "ok"
	if t.Failed() {
		c.verdict = "FAILED"
	}
}

func (c *cell) String() string {
	if c == nil || c.verdict == "" {
		return "did not end"
	}
	if c.verdict == "skipped" {
		return c.verdict
	}
	return fmt.Sprintf("%s %d%s in %d ms", c.verdict, c.messages, limits(c.limited), c.took.Milliseconds())
}

func limits(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d known limit%s", n, strings.Repeat("s", min(n-1, 1)))
}

func (r *table) sum() (messages, limited, ok, failed, skipped int) {
	for _, c := range r.cells {
		messages += c.messages
		limited += c.limited
		switch c.verdict {
		case "ok":
			ok++
		case "FAILED":
			failed++
		case "skipped":
			skipped++
		}
	}
	return
}

func (r *table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "peer and RSA bits")
	for _, f := range flows {
		fmt.Fprint(w, "\t", f.name)
	}
	fmt.Fprintln(w)
	for _, row := range r.rows {
		fmt.Fprint(w, row)
		for _, f := range flows {
			fmt.Fprint(w, "\t", r.cells[row+f.name])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	messages, limited, ok, failed, skipped := r.sum()
	fmt.Fprintf(&b, "%d messages%s; cells: %d ok, %d failed, %d skipped", messages, limits(limited), ok, failed,
		skipped)
	return b.String()
}
