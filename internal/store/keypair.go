package store

import (
	"encoding/json"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

const selectKeyPair = `SELECT id, profile, COALESCE(partner, ''), environment, key_id, state, root_key, spki_sha256, spki, sealed, version, body
	FROM key_pair`

func readKeyPair(row scan) (registry.KeyPair, error) {
	var c, k registry.KeyPair
	var rest string
	err := row(&c.ID, &c.Profile, &c.Partner, &c.Environment, &c.KeyID, &c.State, &c.RootKey,
		bytesInto{&c.SPKISHA256}, bytesInto{&c.SPKI}, bytesInto{&c.Sealed}, &c.Version, &rest)
	if err == nil {
		err = json.Unmarshal([]byte(rest), &k)
	}
	k.ID, k.Profile, k.Partner, k.Environment, k.KeyID, k.State = c.ID, c.Profile, c.Partner, c.Environment, c.KeyID, c.State
	k.RootKey, k.SPKISHA256, k.SPKI, k.Sealed, k.Version = c.RootKey, c.SPKISHA256, c.SPKI, c.Sealed, c.Version
	return k, ofRow(c.ID, err)
}

func (t *tx) KeyPair(id string) (registry.KeyPair, error) {
	return one(t, fmt.Sprintf("key pair %q", id), readKeyPair, selectKeyPair+" WHERE id = ?", id)
}

func (t *tx) PutKeyPair(k *registry.KeyPair) error {
	what := fmt.Sprintf("key pair %q", k.ID)
	rest := *k
	rest.ID, rest.Profile, rest.Partner, rest.Environment, rest.KeyID, rest.State = "", "", "", "", "", ""
	rest.RootKey, rest.SPKISHA256, rest.SPKI = "", nil, nil
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	args := []any{k.Profile, null(k.Partner), k.Environment, k.KeyID, string(k.State), k.RootKey,
		blob(k.SPKISHA256), blob(k.SPKI), blob(k.Sealed), text, k.ID}
	if k.Version == 0 {
		n, err := t.exec(what, `INSERT INTO key_pair
			(profile, partner, environment, key_id, state, root_key, spki_sha256, spki, sealed, body, id, version)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`, args...)
		err = inserted(what, n, err)
		return counted(&k.Version, err)
	}
	n, err := t.exec(what, `UPDATE key_pair SET profile = ?, partner = ?, environment = ?, key_id = ?, state = ?, root_key = ?,
		spki_sha256 = ?, spki = ?, sealed = ?, body = ?, version = version + 1 WHERE id = ? AND version = ?`, append(args, k.Version)...)
	err = updated(what, n, err)
	return counted(&k.Version, err)
}

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
	return list(t, "key pairs", readKeyPair, selectKeyPair+" WHERE id IN ("+written+") ORDER BY id", args...)
}
