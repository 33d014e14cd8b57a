package gateway

import (
	"fmt"
	"path/filepath"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictyaml"
)

// maxConfig limits the file, in bytes.
const maxConfig = 4 << 20

// Read reads a configuration file. An error is a *strictyaml.Faults with all faults at once, those of
// [Config.Check] too, or says why the file can't be read.
func Read(file string) (*Config, error) {
	data, err := readlimit.File(file, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return parse(file, data)
}

// parse reads the text of a configuration file.
func parse(file string, data []byte) (*Config, error) {
	c := &Config{dir: filepath.Dir(file)}
	lines, err := strictyaml.Decode(file, data, c)
	if err != nil {
		return nil, err
	}
	c.file, c.lines = file, lines
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c, nil
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

// err returns the faults as an error, or nil.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &strictyaml.Faults{Name: f.c.file, List: f.list}
}
