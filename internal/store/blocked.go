package store

import (
	"encoding/hex"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

var blockedTable = &table[registry.Blocked]{
	name: "blocked",
	row:  func(b *registry.Blocked) string { return fmt.Sprintf("blocked key %x", b.SPKISHA256) },
	key: []column[registry.Blocked]{
		digest("spki_sha256", func(b *registry.Blocked) *[]byte { return &b.SPKISHA256 }),
	},
	body: true,
}

func (t *tx) Blocked(spkiSHA256 []byte) (registry.Blocked, error) {
	return find(t, blockedTable, registry.Blocked{SPKISHA256: spkiSHA256})
}

func (t *tx) BlockedAfter(p registry.Page) ([]registry.Blocked, error) {
	after, err := hex.DecodeString(p.After)
	if err != nil {
		return nil, registry.Refuse("%q is no checksum", p.After)
	}
	return list(t, "blocked keys", blockedTable.listed(), " WHERE spki_sha256 > ? ORDER BY spki_sha256"+upTo,
		notNull(after), limit(p))
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
