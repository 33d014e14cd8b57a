package store

import (
	"errors"
	"iter"

	"github.com/sealane/sealane/internal/registry"
)

// Rows reads each table once, from its beginning to its end.
func (t *tx) Rows() iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for _, table := range registered {
			if !table.rows(t, yield) {
				return
			}
		}
	}
}

// registered are the tables with the registry's rows. TestEveryTableHasRows names the other
// tables of a database.
var registered = []interface {
	// rows yields the rows of a table. It reports whether the caller wants more.
	rows(t *tx, yield func(any, error) bool) bool
}{
	partnerTable, environmentTable, apiKeyTable, keyPairTable, offerTable, certificateTable, blockedTable,
	requestTable, personTable, settingTable,
}

func (d *table[T]) rows(t *tx, yield func(any, error) bool) bool {
	whole := d.whole()
	for row, err := range stream(t, "table "+d.name, whole.statement+d.inOrder(), whole.read) {
		var of any = row
		if s, is := of.(registry.Setting); is {
			of = settingRow(s)
		}
		if !yield(of, err) {
			return false
		}
		if _, damaged := errors.AsType[*registry.DamagedRow](err); err != nil && !damaged {
			return false
		}
	}
	return true
}

// PublicKeys implements [registry.Reader].
func (t *tx) PublicKeys(since int64) iter.Seq2[registry.PublicKey, error] {
	statement := "SELECT id, spki FROM key_pair UNION ALL SELECT id, spki FROM certificate"
	var args []any
	if since > 0 {
		statement = "SELECT id, spki FROM key_pair WHERE added >= ? UNION ALL " +
			"SELECT id, spki FROM certificate WHERE added >= ?"
		args = []any{since, since}
	}
	var k registry.PublicKey
	to := []any{&k.ID, bytesInto[[]byte]{&k.SPKI}} // once, because there are many rows
	return stream(t, "public keys", statement, func(row scan) (registry.PublicKey, error) {
		k = registry.PublicKey{}
		err := row(to...)
		return k, err
	}, args...)
}
