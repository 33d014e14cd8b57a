package store

import (
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

var blockedTable = &table[registry.Blocked]{
	name: "blocked",
	row:  func(b *registry.Blocked) string { return fmt.Sprintf("blocked key %x", b.SPKISHA256) },
	key: []column[registry.Blocked]{
		blob("spki_sha256", func(b *registry.Blocked) *[]byte { return &b.SPKISHA256 }),
	},
	body: true,
}

func (t *tx) Blocked(spkiSHA256 []byte) (registry.Blocked, error) {
	return find(t, blockedTable, registry.Blocked{SPKISHA256: spkiSHA256})
}

func (t *tx) PutBlocked(b registry.Blocked) error {
	done, err := insert(t, blockedTable, &b)
	if err != nil || done {
		return err
	}
	before, err := find(t, blockedTable, b)
	if err == nil && (!b.Lifted.IsZero() || !before.Lifted.IsZero()) { // else the first reason stays
		_, err = update(t, blockedTable, &b)
	}
	return err
}
