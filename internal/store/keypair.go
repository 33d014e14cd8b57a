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
	columns: append([]column[registry.KeyPair]{
		text("profile", func(k *registry.KeyPair) *string { return &k.Profile }),
		textOrNull("partner", func(k *registry.KeyPair) *string { return &k.Partner }),
		text("environment", func(k *registry.KeyPair) *string { return &k.Environment }),
		text("key_id", func(k *registry.KeyPair) *string { return &k.KeyID }),
		text("state", func(k *registry.KeyPair) *registry.State { return &k.State }),
		text("root_key", func(k *registry.KeyPair) *string { return &k.RootKey }),
		digest("spki_sha256", func(k *registry.KeyPair) *[]byte { return &k.SPKISHA256 }),
		blob("spki", func(k *registry.KeyPair) *[]byte { return &k.SPKI }),
		blob("sealed", func(k *registry.KeyPair) *[]byte { return &k.Sealed }),
		number("added", func(k *registry.KeyPair) *int64 { return &k.Added }),
	}, noted(func(k *registry.KeyPair) *int64 { return &k.Version }, pairAlarmed)...),
	version: func(k *registry.KeyPair) *int64 { return &k.Version },
	body:    true,
}

func (t *tx) KeyPair(id string) (registry.KeyPair, error) {
	return find(t, keyPairTable, registry.KeyPair{ID: id})
}

func (t *tx) PutKeyPair(k *registry.KeyPair) error {
	if k.Version == 0 {
		head, err := t.AuditHead()
		if err != nil {
			return err
		}
		k.Added = head.Seq
	}
	return put(t, keyPairTable, k)
}

func (t *tx) KeyPairs(q registry.KeyPairQuery) ([]registry.KeyPair, error) {
	var rootKeys []string
	if q.RootKeyNot != "" {
		// An index finds rows that have a value, but not rows that have none.
		var err error
		rootKeys, err = texts(t, "root keys",
			"SELECT DISTINCT root_key FROM key_pair WHERE root_key > '' AND root_key <> ?", q.RootKeyNot)
		if err != nil || len(rootKeys) == 0 {
			return nil, err
		}
	}
	page, args := keyPairs(q, rootKeys)
	return list(t, "key pairs", keyPairTable.listed(), page, args...)
}

// keyPairs returns the condition of a page. RootKeyNot is expressed by the other root keys.
func keyPairs(q registry.KeyPairQuery, rootKeys []string) (condition string, args []any) {
	var found query
	found.where(len(q.SPKISHA256) > 0, "spki_sha256 = ?", q.SPKISHA256)
	found.where(q.KeyID != "", "key_id = ?", q.KeyID)
	found.where(q.Partner != "", "partner = ?", q.Partner)
	found.where(q.Shared, "partner IS NULL")
	oneOf(&found, "state", q.States)
	oneOf(&found, "root_key", rootKeys)
	found.where(q.Profile != "", "profile = ?", q.Profile)
	found.where(q.Environment != "", "environment = ?", q.Environment)
	return found.page(q.Page)
}
