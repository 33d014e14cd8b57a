package rootkey

import (
	"errors"
	"fmt"
	"strings"
)

// Ring holds several root keys while one replaces another: the newest seals, and each opens
// what it sealed. It is immutable.
type Ring struct {
	newest *Key
	keys   map[string]*Key
	ids    []string
}

// NewRing returns a ring of the key that seals, and those that only open.
func NewRing(newest *Key, older ...*Key) (*Ring, error) {
	r := &Ring{newest: newest, keys: map[string]*Key{}}
	for _, k := range append([]*Key{newest}, older...) {
		if k == nil || k.aead == nil {
			return nil, errors.New("root keys: one of them is empty")
		}
		if r.keys[k.ID()] != nil {
			return nil, fmt.Errorf("root keys: %s is given twice; a new one must be another", k.ID())
		}
		r.keys[k.ID()] = k
		r.ids = append(r.ids, k.ID())
	}
	return r, nil
}

// Newest returns the key that seals.
func (r *Ring) Newest() *Key { return r.newest }

// Seal seals under the newest key, as [Key.Seal].
func (r *Ring) Seal(plaintext []byte, c Context) ([]byte, error) { return r.newest.Seal(plaintext, c) }

// Open opens with the key that the sealed value names, as [Key.Open].
func (r *Ring) Open(sealed []byte, c Context) ([]byte, error) {
	id, err := SealedUnder(sealed)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", c, err)
	}
	k := r.keys[id]
	if k == nil {
		return nil, fmt.Errorf("open %v: %w: it names root key %s, but there are only %s; add that one as an older "+
			"key, "+
			"or restore the record if its first bytes were changed", c, ErrOtherKey, id, strings.Join(r.ids, ", "))
	}
	return k.Open(sealed, c)
}
