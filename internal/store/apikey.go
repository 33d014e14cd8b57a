package store

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

var apiKeyTable = &table[registry.APIKey]{
	name: "api_key",
	row:  func(k *registry.APIKey) string { return fmt.Sprintf("API key %q", k.ID) },
	key: []column[registry.APIKey]{
		text("id", func(k *registry.APIKey) *string { return &k.ID }),
	},
	columns: []column[registry.APIKey]{
		text("partner", func(k *registry.APIKey) *string { return &k.Partner }),
		text("environment", func(k *registry.APIKey) *string { return &k.Environment }),
		digestOrNull("sha256", func(k *registry.APIKey) *[]byte { return &k.SHA256 }),
		digestOrNull("hmac", func(k *registry.APIKey) *[]byte { return &k.HMAC }),
		blobOrNull("binding", func(k *registry.APIKey) *[]byte { return &k.Binding }),
		text("sealing", func(k *registry.APIKey) *sealane.Sealing { return &k.Sealing }),
		names(registry.APIKey.SearchTexts),
		computed("revoked", func(k *registry.APIKey) any { return oneIf(!k.Revoked.IsZero()) }),
		// This is not stored with the key: an older copy of the key would set the time
		// back.
		instant("at", func(k *registry.APIKey) *time.Time { return &k.LastUsed }).
			readFrom("(SELECT at FROM api_key_use WHERE api_key_use.id = api_key.id)"),
	},
	version: func(k *registry.APIKey) *int64 { return &k.Version },
	body:    true,
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func (t *tx) APIKey(id string) (registry.APIKey, error) {
	return find(t, apiKeyTable, registry.APIKey{ID: id})
}

func (t *tx) APIKeyByHMAC(sum []byte) (registry.APIKey, error) {
	return one(t, "API key", apiKeyTable.whole(), " WHERE hmac = ?", notNull(sum))
}

func (t *tx) APIKeysAfter(p registry.Page) ([]registry.APIKey, error) {
	var found query
	page, args := found.page(p)
	return list(t, "API keys", apiKeyTable.listed(), page, args...)
}

func (t *tx) APIKeys(partner, environment string) ([]registry.APIKey, error) {
	return list(t, fmt.Sprintf("API keys of %s of partner %q", environment, partner), apiKeyTable.listed(),
		" WHERE partner = ? AND environment = ? ORDER BY id", partner, environment)
}

func (t *tx) PutAPIKey(k *registry.APIKey) error {
	for column, sum := range map[string][]byte{"sha256": k.SHA256, "hmac": k.HMAC} {
		if err := t.free(apiKeyTable.row(k), apiKeyTable.name, column, sum, k.ID); err != nil {
			return err
		}
	}
	return put(t, apiKeyTable, k)
}

// free returns an error if a row of the table other than id has the hash of a secret.
func (t *tx) free(what, table, column string, sum []byte, id string) error {
	if len(sum) == 0 {
		return nil
	}
	others, err := texts(t, what, "SELECT id FROM "+table+" WHERE "+column+" = ? AND id <> ?", sum, id)
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%s: its %s is that of %q: %w", what, column, others[0], registry.ErrExists)
	}
	return err
}

// use is the last use of an API key.
type use struct {
	id string
	at time.Time
}

var useTable = &table[use]{
	name:    "api_key_use",
	row:     func(u *use) string { return fmt.Sprintf("use of API key %q", u.id) },
	key:     []column[use]{text("id", func(u *use) *string { return &u.id })},
	columns: []column[use]{instant("at", func(u *use) *time.Time { return &u.at })},
}

// usedAPIKeys ignores keys that do not exist, and never sets a time back.
func (t *tx) usedAPIKeys(at map[string]time.Time) error {
	const note = `INSERT INTO api_key_use (id, at) SELECT id, CAST(? AS BIGINT) FROM api_key WHERE id = ?
		ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE api_key_use.at < excluded.at`
	for _, id := range slices.Sorted(maps.Keys(at)) {
		if _, err := t.exec("uses of API keys", note, at[id].UnixMicro(), id); err != nil {
			return err
		}
	}
	return nil
}
