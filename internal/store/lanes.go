package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
)

var _ lanes.Store = (*Store)(nil)

// ReadLanes implements [lanes.Store].
func (s *Store) ReadLanes(ctx context.Context, read func(lanes.Rows) error) error {
	return s.view(ctx, func(t *tx) error { return read(t.Lanes()) })
}

// ReadLane implements [lanes.Store].
func (s *Store) ReadLane(ctx context.Context, name lanes.Name, read func(lanes.Rows) error) error {
	return s.view(ctx, func(t *tx) error { return read(laneRows{t, &name}) })
}

// UsedAPIKeys implements [lanes.Store].
func (s *Store) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	return s.update(ctx, func(t *tx) error { return t.usedAPIKeys(at) })
}

func (t *tx) Lanes() lanes.Rows { return laneRows{t, nil} }

// laneRows reads the rows of one lane by their indexes, or each table once, from its
// beginning to its end, because most rows are needed. Each column takes time, so columns
// that no lane needs are not read.
type laneRows struct {
	tx  *tx
	one *lanes.Name // nil: all lanes
}

// The states that keys of lanes have. For all lanes there is a CAST because an index cannot
// be used for that: SQLite would look up each of the many rows separately, which takes four
// times as long as reading the table.
const (
	inUse    = "state IN ('staged', 'active', 'retiring')"
	allInUse = "CAST(state AS TEXT) IN ('staged', 'active', 'retiring')"
)

// laneQuery is a statement that reads rows of lanes.
type laneQuery struct {
	what, table string
	selected    string
	all         string // the condition for all lanes
	one         string // that for one lane, with args
	args        func(lanes.Name) []any
}

func ofPartner(n lanes.Name) []any     { return []any{n.Partner} }
func ofEnvironment(n lanes.Name) []any { return []any{n.Partner, n.Environment} }

// laneRow returns the rows of a query. read scans one; any content of a column can be
// scanned as a loose value.
func laneRow[T any](r laneRows, q laneQuery, read func(scan, *T) (id string, err error)) iter.Seq2[T, error] {
	statement, args := q.selected+" WHERE "+q.all, []any(nil)
	if r.one != nil {
		statement, args = q.selected+" WHERE "+q.one, q.args(*r.one)
	}
	return stream(r.tx, "lanes: "+q.what, statement, func(row scan) (one T, err error) {
		id, err := read(row, &one)
		if err != nil {
			err = &rowError{fmt.Sprintf("%s %q", q.what, id), q.table, id, err}
		}
		return one, err
	}, args...)
}

// unfit is the reason why a row cannot be used. It contains no value of the row.
type unfit string

func (u unfit) Error() string { return string(u) }

func (r laneRows) Partners() iter.Seq2[lanes.Partner, error] {
	q := laneQuery{"partner", "partner", "SELECT id, profile, side FROM partner", "archived < 0",
		"archived < 0 AND id = ?", ofPartner}
	return laneRow(r, q, func(row scan, p *lanes.Partner) (string, error) {
		var side string
		err := row(loose{&p.ID}, loose{&p.Profile}, loose{&side})
		if err == nil && p.Side.UnmarshalText([]byte(side)) != nil {
			err = unfit("its side is none")
		}
		return p.ID, err
	})
}

// notArchived leaves out the environments of archived partners, who have no lanes.
const notArchived = "partner NOT IN (SELECT id FROM partner WHERE archived > 0)"

func (r laneRows) Environments() iter.Seq2[lanes.Environment, error] {
	q := laneQuery{"environment", "environment", `SELECT partner, name, COALESCE(account, ''), sealing, caller,
		accept_rsa_oaep, url, max_payload FROM environment`, notArchived,
		notArchived + " AND partner = ? AND name = ?", ofEnvironment}
	return laneRow(r, q, func(row scan, e *lanes.Environment) (string, error) {
		var sealing, caller string
		var payload any
		err := row(loose{&e.Partner}, loose{&e.Name}, loose{&e.Account}, loose{&sealing}, loose{&caller},
			loose{&e.AcceptRSAOAEP}, loose{&e.URL}, &payload)
		e.Sealing, e.SenderAuth = sealane.Sealing(sealing), sealane.SenderAuth(caller)
		n, is := payload.(int64)
		if e.MaxPayload = int(n); err == nil && !is {
			err = unfit("its max_payload is not a number")
		}
		return e.Partner + "/" + e.Name, err
	})
}

func (r laneRows) APIKeys() iter.Seq2[lanes.APIKey, error] {
	q := laneQuery{"API key", "api_key", "SELECT id, partner, environment, sha256, sealing FROM api_key",
		"revoked = 0", "revoked = 0 AND partner = ? AND environment = ?", ofEnvironment}
	return laneRow(r, q, func(row scan, k *lanes.APIKey) (string, error) {
		var sealing string
		err := row(loose{&k.ID}, loose{&k.Partner}, loose{&k.Environment}, looseBytes{&k.SHA256}, loose{&sealing})
		k.Sealing = sealane.Sealing(sealing)
		if err == nil && len(k.SHA256) != sha256.Size {
			err = unfit("its sha256 is none")
		}
		return k.ID, err
	})
}

func (r laneRows) Confirmations() iter.Seq2[lanes.Confirmation, error] {
	const confirmed = "o.confirmed > 0 AND k.state IN ('active', 'retiring')"
	q := laneQuery{"offer", "offer", `SELECT o.key_pair, o.partner, o.confirmed FROM offer o
		JOIN key_pair k ON k.id = o.key_pair`, confirmed, confirmed + " AND o.partner = ?", ofPartner}
	return laneRow(r, q, func(row scan, c *lanes.Confirmation) (string, error) {
		var at any
		err := row(loose{&c.KeyPair}, loose{&c.Partner}, &at)
		micro, is := at.(int64)
		if c.At = time.UnixMicro(micro).UTC(); err == nil && !is {
			err = unfit("its confirmed is not a time")
		}
		return c.KeyPair + "/" + c.Partner, err
	})
}

func (r laneRows) KeyPairs() iter.Seq2[lanes.KeyPair, error] {
	q := laneQuery{"key pair", "key_pair", `SELECT id, profile, COALESCE(partner, ''), environment, key_id, state,
		spki_sha256, spki, sealed, body FROM key_pair`, allInUse, inUse + ` AND (partner = ? AND environment = ?
		OR partner IS NULL AND environment = ? AND profile = (SELECT p.profile FROM partner p WHERE p.id = ?))`,
		func(n lanes.Name) []any { return []any{n.Partner, n.Environment, n.Environment, n.Partner} }}
	return laneRow(r, q, func(row scan, k *lanes.KeyPair) (string, error) {
		var state, body string
		err := row(loose{&k.ID}, loose{&k.Profile}, loose{&k.Partner}, loose{&k.Environment}, loose{&k.KeyID},
			loose{&state}, looseBytes{&k.SPKISHA256}, looseBytes{&k.SPKI}, looseBytes{&k.Sealed}, loose{&body})
		if err != nil {
			return k.ID, err
		}
		if k.State, err = lanes.ParseState(state); err != nil {
			return k.ID, unfit("its state is none that a lane has")
		}
		var rest struct {
			SealedAs int64 `json:"sealed_as"`
		}
		if err := json.Unmarshal([]byte(body), &rest); err != nil {
			return k.ID, err
		}
		k.SealedAs = rest.SealedAs
		return k.ID, nil
	})
}

var laneCertificates = laneQuery{"certificate", "certificate", `SELECT certificate.id, partner, environment, key_id,
	state, spki, spki_sha256, der, sha256 FROM certificate
	LEFT JOIN certificate_text ON certificate_text.id = certificate.id`,
	allInUse + " AND owner = 'theirs'", inUse + " AND owner = 'theirs' AND partner = ? AND environment = ?",
	ofEnvironment}

func (r laneRows) Certificates() iter.Seq2[lanes.Certificate, error] {
	return laneRow(r, laneCertificates, func(row scan, c *lanes.Certificate) (string, error) {
		var state string
		err := row(loose{&c.ID}, loose{&c.Partner}, loose{&c.Environment}, loose{&c.KeyID}, loose{&state},
			looseBytes{&c.SPKI}, looseBytes{&c.SPKISHA256}, looseBytes{&c.DER}, looseBytes{&c.SHA256})
		if err != nil {
			return c.ID, err
		}
		if c.State, err = lanes.ParseState(state); err != nil {
			err = unfit("its state is none that a lane has")
		}
		return c.ID, err
	})
}

func (r laneRows) Profile(name string) ([]byte, error) { return r.tx.Profile(name) }

// loose scans any content of a column, even if it was not written by this program, so that
// the rest of the row can be read.
type loose struct{ to *string }

// Scan implements [database/sql.Scanner].
func (l loose) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*l.to = ""
	case string:
		*l.to = v
	case []byte:
		*l.to = string(v)
	default:
		*l.to = fmt.Sprint(v)
	}
	return nil
}

// looseBytes is loose for bytes.
type looseBytes struct{ to *[]byte }

// Scan implements [database/sql.Scanner].
func (l looseBytes) Scan(value any) error {
	if bytes, is := value.([]byte); is {
		*l.to = append([]byte(nil), bytes...)
		return nil
	}
	var text string
	err := loose{&text}.Scan(value)
	*l.to = []byte(text)
	return err
}
