package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// fillNoted fills the columns that hold while noted says so.
func fillNoted(ctx context.Context, s *Store, t *sql.Tx) error {
	return fillAll(ctx, s, t, []nameFill{
		{`SELECT partner, name, version, body FROM environment
			WHERE (partner, name) > (?, ?) ORDER BY partner, name LIMIT 500`, []any{"", ""}, environmentNoted},
		{`SELECT id, version, state, body FROM key_pair
			WHERE id > ? ORDER BY id LIMIT 500`, []any{""}, keyPairNoted},
		{`SELECT c.id, c.version, c.not_after, c.state, x.body
			FROM certificate c JOIN certificate_text x ON x.id = c.id
			WHERE c.id > ? ORDER BY c.id LIMIT 500`, []any{""}, certificateNoted},
		{`SELECT id, version, owner, step, body FROM renewal
			WHERE id > ? ORDER BY id LIMIT 500`, []any{""}, renewalNoted},
	})
}

func environmentNoted(row scan) (nameUpdate, error) {
	var e registry.Environment
	var partner, name, body string
	if err := row(&partner, &name, &e.Version, &body); err != nil {
		return nameUpdate{}, err
	}
	return notedUpdate(environmentTable, &e, body, []any{partner, name})
}

func keyPairNoted(row scan) (nameUpdate, error) {
	var k registry.KeyPair
	var id, body string
	if err := row(&id, &k.Version, &k.State, &body); err != nil {
		return nameUpdate{}, err
	}
	return notedUpdate(keyPairTable, &k, body, []any{id})
}

func certificateNoted(row scan) (nameUpdate, error) {
	var c registry.Certificate
	var id, body string
	if err := row(&id, &c.Version, instantInto{&c.NotAfter}, &c.State, &body); err != nil {
		return nameUpdate{}, err
	}
	return notedUpdate(certificateTable, &c, body, []any{id})
}

func renewalNoted(row scan) (nameUpdate, error) {
	var n registry.Renewal
	var id, body string
	if err := row(&id, &n.Version, &n.Owner, &n.Step, &body); err != nil {
		return nameUpdate{}, err
	}
	return notedUpdate(renewalTable, &n, body, []any{id})
}

// notedUpdate fills the columns of a row, which has what other columns have. A row whose body can't be
// read stays among those that are looked at: noted is not its version.
func notedUpdate[T any](d *table[T], row *T, body string, key []any) (nameUpdate, error) {
	where := d.byKey()
	version := *d.version(row)
	kept := *row
	if json.Unmarshal([]byte(body), row) != nil {
		return nameUpdate{"UPDATE " + d.name + " SET noted = 0" + where, nil, key}, nil
	}
	for _, c := range d.columns {
		if c.copy != nil {
			c.copy(row, &kept)
		}
	}
	*d.version(row) = version - 1 // which it had when it was stored
	columns := slices.DeleteFunc(slices.Clone(d.columns), func(c column[T]) bool { return c.while != "noted" })
	return nameUpdate{"UPDATE " + d.name + " SET " + strings.Join(namesOf(columns), " = ?, ") + " = ?" + where,
		values(columns, row), key}, nil
}
