package store

import (
	"bytes"
	"errors"
	"iter"
	"reflect"
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
	renewalTable, requestTable, personTable, settingTable,
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

// verified is whole, where a row is damaged if a column that is computed from it has something else:
// searches, lists or lanes use it, and no record has it. The row is returned all the same.
func (d *table[T]) verified() selection[T] {
	var computed []column[T]
	for _, c := range slices.Concat(d.key, d.columns) {
		if c.into == nil {
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
			err = &rowError{d.row(&found), d.name, d.id(&found), *d.version(&found), unlike(name)}
		}
		return found, err
	}
	return whole
}

// unlike returns the name of a computed column that does not have what is computed of the row.
func (d *table[T]) unlike(row T, computed []column[T], stored []any) string {
	*d.version(&row)-- // which it had when it was stored
	holds := map[string]bool{}
	for i, c := range computed {
		if c.name == c.while { // else a program that does not know the columns stored the row: they do not count
			holds[c.name] = same(stored[i], c.value(&row))
		}
	}
	for i, c := range computed {
		want := c.value(&row)
		switch {
		case c.while != "" && !holds[c.while] && sameType(stored[i], want):
		case c.null && (stored[i] == nil || want == nil): // it is not known, as where FIPS 140-3 is enforced
		case !same(stored[i], want):
			return c.name
		}
	}
	return ""
}

// unlike is the name of a computed column that does not have what is computed of its row.
type unlike string

func (u unlike) Error() string {
	use := "lists show it"
	switch u {
	case "names", "sha1":
		use = "searches use it"
	case "revoked":
		use = "lanes use it"
	}
	return "its " + string(u) + " is not what the rest of the row has, and " + use +
		"; the next change of the row corrects it, and so does accepting it"
}

// same reports whether a column has a value, and as the type that programs store: searches compare
// types, too.
func same(stored, want any) bool {
	wanted, is := want.([]byte)
	if !is {
		return stored == want
	}
	found, is := stored.([]byte)
	return is && bytes.Equal(found, wanted)
}

// sameType reports whether a column has a value of the type that programs store.
func sameType(stored, want any) bool { return reflect.TypeOf(stored) == reflect.TypeOf(want) }

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
