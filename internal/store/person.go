package store

import (
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

var personTable = &table[registry.Person]{
	name: "person",
	row:  func(p *registry.Person) string { return fmt.Sprintf("person %q", p.ID) },
	key: []column[registry.Person]{
		text("id", func(p *registry.Person) *string { return &p.ID }),
	},
	columns: []column[registry.Person]{
		digestOrNull("sha256", func(p *registry.Person) *[]byte { return &p.SHA256 }),
	},
	version: func(p *registry.Person) *int64 { return &p.Version },
	body:    true,
}

func (t *tx) Person(id string) (registry.Person, error) {
	return find(t, personTable, registry.Person{ID: id})
}

func (t *tx) PersonBySHA256(sum []byte) (registry.Person, error) {
	return one(t, "person", personTable.whole(), " WHERE sha256 = ?", notNull(sum))
}

func (t *tx) People() ([]registry.Person, error) {
	return list(t, "people", personTable.listed(), " ORDER BY id")
}

func (t *tx) PutPerson(p *registry.Person) error {
	if err := t.free(personTable.row(p), personTable.name, "sha256", p.SHA256, p.ID); err != nil {
		return err
	}
	return put(t, personTable, p)
}
