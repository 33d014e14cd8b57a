package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Outside implements [lanes.Store].
func (s *Store) Outside(ctx context.Context, name lanes.Name) (o lanes.Outside, err error) {
	err = s.view(ctx, s.reader, func(t *tx) error {
		o = lanes.Outside{}
		if o.Pairs, err = t.retiredPairs(name); err != nil {
			return err
		}
		o.Certificates, err = t.incoming(name)
		return err
	})
	if err != nil {
		return lanes.Outside{}, err
	}
	return o, nil
}

// outsideQuery finds keys of a lane, the newest first. The operators keep the databases from an index of states or
// owners, which would find the rows of all partners.
type outsideQuery struct {
	selected, condition string
	args                func(lanes.Name) []any
}

const newestOutside = " ORDER BY added DESC, id" + upTo

func (q outsideQuery) statement(n lanes.Name) (written string, args []any) {
	return q.selected + " WHERE " + q.condition + newestOutside, append(q.args(n), int64(lanes.MostOutside))
}

const (
	selectRetired = `SELECT id, profile, COALESCE(partner, ''), environment, key_id, spki_sha256, spki, sealed, body
		FROM key_pair`
	isRetired = "state || '' IN ('retired', 'expired') AND LENGTH(sealed) > 0 AND "
)

// A partner's own pairs and those that partners share are found by the same index, by a statement each.
var (
	ownRetired    = outsideQuery{selectRetired, isRetired + "partner = ? AND environment = ?", ofEnvironment}
	sharedRetired = outsideQuery{
		selectRetired, isRetired + `partner IS NULL AND environment = ?
			AND profile = (SELECT p.profile FROM partner p WHERE p.id = ?)`,
		func(n lanes.Name) []any { return []any{n.Environment, n.Partner} },
	}
	incomingCertificates = outsideQuery{
		`SELECT id, key_id, state, spki,
			(SELECT x.body FROM certificate_text x WHERE x.id = certificate.id) FROM certificate`,
		"state || '' IN ('received', 'matched', 'approved') AND owner || '' = 'theirs' AND " +
			"partner = ? AND environment = ?",
		ofEnvironment,
	}
)

// outsideRows returns the rows of a query. One that can't be read explains nothing.
func outsideRows[T any](t *tx, what string, q outsideQuery, name lanes.Name, read func(scan, *T) error) ([]T, error) {
	written, args := q.statement(name)
	var rows []T
	one := func(row scan) (one T, err error) {
		if err = read(row, &one); err != nil {
			err = &rowError{what, "", "", 0, err}
		}
		return one, err
	}
	for row, err := range stream(t, "lanes: "+what, written, one, args...) {
		if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged {
			continue
		} else if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// stateSince reads from a row's body what its columns do not have.
type stateSince struct {
	Changed  time.Time `json:"changed"`
	SealedAs int64     `json:"sealed_as"`
}

// retiredPairs returns those that are not blocked.
func (t *tx) retiredPairs(name lanes.Name) (pairs []lanes.RetiredPair, err error) {
	for _, q := range []outsideQuery{ownRetired, sharedRetired} {
		rows, err := outsideRows(t, "retired key pair", q, name, func(row scan, k *lanes.RetiredPair) error {
			var body string
			err := row(loose{&k.ID}, loose{&k.Profile}, loose{&k.Partner}, loose{&k.Environment}, loose{&k.KeyID},
				looseBytes{&k.SPKISHA256}, looseBytes{&k.SPKI}, looseBytes{&k.Sealed}, loose{&body})
			if err != nil {
				return err
			}
			var rest stateSince
			err = json.Unmarshal([]byte(body), &rest)
			k.Retired, k.SealedAs = rest.Changed, rest.SealedAs
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, k := range rows {
			blocked, err := t.isBlocked(k.SPKISHA256)
			if err != nil {
				return nil, err
			}
			if !blocked {
				pairs = append(pairs, k)
			}
		}
	}
	return pairs, nil
}

func (t *tx) isBlocked(spkiSHA256 []byte) (bool, error) {
	b, err := t.Blocked(spkiSHA256)
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("blocked keys: %w", err)
	}
	return b.Lifted.IsZero(), nil
}

func (t *tx) incoming(name lanes.Name) ([]lanes.IncomingCertificate, error) {
	return outsideRows(t, "certificate on its way in", incomingCertificates, name,
		func(row scan, c *lanes.IncomingCertificate) error {
			var body string
			err := row(loose{&c.ID}, loose{&c.KeyID}, loose{&c.State}, looseBytes{&c.SPKI}, loose{&body})
			if err != nil {
				return err
			}
			var rest stateSince
			err = json.Unmarshal([]byte(body), &rest)
			c.Since = rest.Changed
			return err
		})
}
