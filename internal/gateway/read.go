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
	c.lines, err = strictyaml.Decode(file, data, c)
	decoded, ok := errors.AsType[*strictyaml.Faults](err)
	whole := func(one strictyaml.Fault) bool { return one.Path == "" }
	if err != nil && (!ok || slices.ContainsFunc(decoded.List, whole)) {
		return nil, nil, err
	}
	if ok {
		nameNginx(decoded.List)
	}
	c.setFolder()
	f := c.faults(err)
	c.check(f)
	return c, f, nil
}

// setFolder has the paths of unix sockets begin at the folder of the file, as all others do.
func (c *Config) setFolder() {
	in := func(text string) string {
		if path, ok := strings.CutPrefix(text, "unix:"); ok && path != "" {
			return "unix:" + Path(path).in(c.dir)
		}
		return text
	}
	c.Admin = Address(in(string(c.Admin)))
	for i := range c.Routes {
		r := &c.Routes[i]
		r.Listen.Address = Address(in(string(r.Listen.Address)))
		if r.Upstream != nil {
			r.Upstream.URL = in(r.Upstream.URL)
		}
	}
}

// faults collects everything that is wrong with a configuration.
type faults struct {
	*strictyaml.Check
	c       *Config
	decoded error // the faults of the file's form
}

// faults returns a collection of faults. decoded is the error of strictyaml.Decode.
func (c *Config) faults(decoded error) *faults {
	return &faults{Check: strictyaml.NewCheck(c.lines), c: c, decoded: decoded}
}

// add notes a fault of the value at a path, such as "routes[0].listen".
func (f *faults) add(path, format string, args ...any) { f.Add(path, format, args...) }

// in reports whether there is a fault in a value, such as "routes[0]".
func (f *faults) in(path string) bool {
	decoded, ok := errors.AsType[*strictyaml.Faults](f.decoded)
	return f.Has(path) || ok && decoded.Has(path)
}

// err returns the faults as an error, in the order of the lines, or nil.
func (f *faults) err() error { return f.Err(f.c.file, f.decoded) }
