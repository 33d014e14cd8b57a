package store

import (
	"fmt"
	"testing/fstest"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// WithMigration returns the options of a program that is one version newer.
func (o Options) WithMigration(text string) Options {
	files := fstest.MapFS{}
	names, err := embedded.ReadDir("migrations")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		path := "migrations/" + name.Name()
		data, err := embedded.ReadFile(path)
		if err != nil {
			panic(err)
		}
		files[path] = &fstest.MapFile{Data: data}
	}
	files[fmt.Sprintf("migrations/%04d_test.sql", len(names)+1)] = &fstest.MapFile{Data: []byte(text)}
	o.files = files
	return o
}

// Latest is the version of a database that this program makes.
func Latest() int64 {
	m, err := Options{}.migrations()
	if err != nil {
		panic(err)
	}
	return m.latest()
}

// UsedAPIKeys stores uses as a part of a change.
func UsedAPIKeys(t registry.Tx, at map[string]time.Time) error { return t.(*tx).usedAPIKeys(at) }
