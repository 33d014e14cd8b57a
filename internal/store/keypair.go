package store

import (
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

var keyPairTable = &table[registry.KeyPair]{
	name: "key_pair",
	row:  func(k *registry.KeyPair) string { return fmt.Sprintf("key pair %q", k.ID) },
	key: []column[registry.KeyPair]{
		text("id", func(k *registry.KeyPair) *string { return &k.ID }),
	},
	columns: []column[registry.KeyPair]{
		text("profile", func(k *registry.KeyPair) *string { return &k.Profile }),
		textOrNull("partner", func(k *registry.KeyPair) *string { return &k.Partner }),
		text("environment", func(k *registry.KeyPair) *string { return &k.Environment }),
		text("key_id", func(k *registry.KeyPair) *string { return &k.KeyID }),
		text("state", func(k *registry.KeyPair) *registry.State { return &k.State }),
		text("root_key", func(k *registry.KeyPair) *string { return &k.RootKey }),
		blob("spki_sha256", func(k *registry.KeyPair) *[]byte { return &k.SPKISHA256 }),
		blob("spki", func(k *registry.KeyPair) *[]byte { return &k.SPKI }),
		blob("sealed", func(k *registry.KeyPair) *[]byte { return &k.Sealed }),
	},
	version: func(k *registry.KeyPair) *int64 { return &k.Version },
	body:    true,
}

func (t *tx) KeyPair(id string) (registry.KeyPair, error) {
	return find(t, keyPairTable, registry.KeyPair{ID: id})
}

func (t *tx) PutKeyPair(k *registry.KeyPair) error { return put(t, keyPairTable, k) }

// KeyPairs reads by the index that leaves the fewest rows.
func (t *tx) KeyPairs(q registry.KeyPairQuery) ([]registry.KeyPair, error) {
	s := search{table: "key_pair"}
	s.where(len(q.SPKISHA256) > 0, "key_pair_spki", "spki_sha256 = ?", q.SPKISHA256)
	s.where(q.KeyID != "", "key_pair_key_id", "key_id = ?", q.KeyID)
	s.where(q.Partner != "", "key_pair_partner", "partner = ?", q.Partner)
	s.where(q.Shared, "key_pair_partner", "partner IS NULL")
	s.whereState(q.States, "key_pair_state", nil)
	s.where(q.RootKeyNot != "", "key_pair_root_key", "root_key > ''")
	s.where(q.RootKeyNot != "", "key_pair_root_key", "root_key <> ?", q.RootKeyNot)
	s.where(q.Profile != "", "key_pair_profile", "profile = ?", q.Profile)
	s.where(q.Environment != "", "key_pair_environment", "environment = ?", q.Environment)
	written, args := s.ids(t.store.dialect, q.Page)
	return list(t, "key pairs", keyPairTable.listed(), " WHERE id IN ("+written+") ORDER BY id", args...)
}
