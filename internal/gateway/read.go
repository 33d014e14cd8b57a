package gateway

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictyaml"
)

// maxConfig limits the file, in bytes.
const maxConfig = 4 << 20

// Read reads a configuration file. An error is a *strictyaml.Faults with all faults at once, those of
// [Config.Check] too, or says why the file can't be read.
func Read(file string) (*Config, error) {
	c, f, err := read(file)
	if err != nil {
		return nil, err
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// read reads a configuration file, and collects what is wrong with it. The error is that of a file that can't
// be read at all.
func read(file string) (*Config, *faults, error) {
	data, err := readlimit.File(file, maxConfig)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	c := &Config{dir: filepath.Dir(file), file: file}
	f := &faults{c: c}
	c.lines, err = strictyaml.Decode(file, data, c)
	decoded, ok := errors.AsType[*strictyaml.Faults](err)
	whole := func(one strictyaml.Fault) bool { return one.Path == "" }
	if err != nil && (!ok || slices.ContainsFunc(decoded.List, whole)) {
		return nil, nil, err
	}
	c.check(f)
	if ok {
		// What a value that was not read lacks is no fault of its own.
		f.list = slices.DeleteFunc(f.list, func(one strictyaml.Fault) bool {
			return slices.ContainsFunc(decoded.List, func(d strictyaml.Fault) bool {
				return within(d.Path, one.Path) || within(one.Path, d.Path)
			})
		})
		f.list = append(f.list, decoded.List...)
	}
	return c, f, nil
}

// within reports whether a path is that of a word, or of one in it.
func within(path, word string) bool {
	rest, ok := strings.CutPrefix(path, word)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// faults collects what is wrong with a configuration.
type faults struct {
	c    *Config
	list []strictyaml.Fault
}

// add notes a fault of the word at a path, such as "routes[0].listen". Where that word is not in the
// file, the fault is in the line of what contains it.
func (f *faults) add(path, format string, args ...any) {
	at := path
	line := f.c.lines[at]
	for line == 0 && at != "" {
		at = parent(at)
		line = f.c.lines[at]
	}
	f.list = append(f.list, strictyaml.Fault{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// in reports whether there is a fault in a word, such as "routes[0]".
func (f *faults) in(word string) bool {
	return slices.ContainsFunc(f.list, func(one strictyaml.Fault) bool { return within(one.Path, word) })
}

// err returns the faults as an error, in the order of the lines, or nil.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b strictyaml.Fault) int { return a.Line - b.Line })
	return &strictyaml.Faults{Name: f.c.file, List: f.list}
}
