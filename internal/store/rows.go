package store

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

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
	whole := d.verified()
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

// verified is whole, where a row is damaged if a column that repeats a member of its body has
// something else: lists show it, and no record has it. The row is returned all the same.
func (d *table[T]) verified() selection[T] {
	var computed []column[T]
	for _, c := range slices.Concat(d.key, d.columns) {
		if c.repeats || c.name == "listed" {
			computed = append(computed, c)
		}
	}
	whole := d.whole()
	if len(computed) == 0 {
		return whole
	}
	names := strings.Join(namesOf(computed), ", ")
	whole.statement = strings.Replace(whole.statement, "SELECT ", "SELECT "+names+", ", 1)
	read := whole.read
	whole.read = func(row scan) (T, error) {
		stored := make([]any, len(computed))
		into := make([]any, len(computed))
		for i := range stored {
			into[i] = &stored[i]
		}
		found, err := read(func(to ...any) error { return row(append(into, to...)...) })
		if err != nil {
			return found, err
		}
		if name := d.unlike(found, computed, stored); name != "" {
			err = &rowError{d.row(&found), d.name, d.id(&found), unlike(name)}
		}
		return found, err
	}
	return whole
}

// unlike returns the name of a column that does not repeat what the row has.
func (d *table[T]) unlike(row T, repeats []column[T], stored []any) string {
	*d.version(&row)-- // which it had when it was stored
	for i, c := range repeats {
		if c.name == "listed" && !same(stored[i], c.value(&row)) {
			return "" // a program that does not know these columns stored the row: they do not count
		}
	}
	for i, c := range repeats {
		if !same(stored[i], c.value(&row)) {
			return c.name
		}
	}
	return ""
}

// unlike is the name of a column that does not repeat what its row has.
type unlike string

func (u unlike) Error() string {
	return "its " + string(u) + " is not what its body has, and lists show it; the next change of the row corrects it"
}

// same reports whether a column has a value, in the types of both databases.
func same(stored, want any) bool {
	if bytes, is := stored.([]byte); is {
		stored = string(bytes)
	}
	if bytes, is := want.([]byte); is {
		want = string(bytes)
	}
	return fmt.Sprint(stored) == fmt.Sprint(want)
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
