package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Check collects the faults of a file's values, which [Decode] does not know.
type Check struct {
	lines  map[string]int
	faults []Fault
}

// NewCheck returns a Check for a file with keys in these lines, as Decode returns them. They may be
// nil.
func NewCheck(lines map[string]int) *Check { return &Check{lines: lines} }

// Add adds a fault of the value at a path, such as "routes[0].listen". If that value is not in the
// file, the fault is in the line of the value that should contain it.
func (c *Check) Add(path, format string, args ...any) {
	at := path
	line := c.lines[at]
	for line == 0 && at != "" {
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
		line = c.lines[at]
	}
	c.faults = append(c.faults, Fault{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// Has reports whether there is a fault in the value at a path.
func (c *Check) Has(path string) bool {
	return slices.ContainsFunc(c.faults, func(one Fault) bool { return within(one.Path, path) })
}

// Faults returns the faults so far.
func (c *Check) Faults() []Fault { return c.faults }

// Err returns a *[Faults] in the order of the lines, or nil. The faults that Decode found are among
// them; a value that Decode did not read has no other fault, and neither has one that a misspelled key means.
func (c *Check) Err(name string, decoded error) error {
	all := slices.Clone(c.faults)
	if d, ok := errors.AsType[*Faults](decoded); ok {
		all = slices.DeleteFunc(all, func(one Fault) bool {
			return slices.ContainsFunc(d.List, func(d Fault) bool {
				return within(d.Path, one.Path) || within(one.Path, d.Path) ||
					d.Meant != "" && within(one.Path, d.Meant)
			})
		})
		all = append(all, d.List...)
	} else if decoded != nil {
		return decoded
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Fault) int { return a.Line - b.Line })
	return &Faults{name, all}
}

// within reports whether a path is that of a value, or of one in it.
func within(path, value string) bool {
	rest, ok := strings.CutPrefix(path, value)
	return ok && (rest == "" || value == "" || rest[0] == '.' || rest[0] == '[')
}
