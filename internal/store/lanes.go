package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

var _ lanes.Store = (*Store)(nil)

// ReadLane implements [lanes.Store].
func (s *Store) ReadLane(ctx context.Context, name lanes.Name, read func(lanes.Rows) error) error {
	return s.view(ctx, s.reader, func(t *tx) error { return read(laneRows{tx: t, one: &name}) })
}

// usesAtOnce is how many uses are stored by one transaction, so that others wait only shortly.
const usesAtOnce = 500

// UsedAPIKeys implements [lanes.Store].
func (s *Store) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(at)), usesAtOnce) {
		some := make(map[string]time.Time, len(ids))
		for _, id := range ids {
			some[id] = at[id]
		}
		err := s.commit(ctx, s.dialect.beginUses, func(t *tx) error { return t.usedAPIKeys(some) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) Lanes() lanes.Rows { return laneRows{tx: t} }

// laneRows reads the rows of one lane or of some partners by their indexes, or each table once, from
// its beginning to its end, because most rows are needed. Each column takes time, so columns
// that no lane needs are not read.
type laneRows struct {
	tx           *tx
	one          *lanes.Name    // the rows of this lane
	changed      *lanes.Changes // those of these partners; without either, all
	environments []string       // of these environments only; empty: of all
}

// The states that keys of lanes have. The CAST keeps SQLite from using an index of states: it would look up each of
// the many rows separately, which takes four times as long as reading the table. Where rows of a few partners are
// read, the operator keeps PostgreSQL from it, and from one of owners: a server without statistics would read the rows
// of all partners.
const (
	inUse     = "state IN ('staged', 'active', 'retiring')"
	allInUse  = "CAST(state AS TEXT) IN ('staged', 'active', 'retiring')"
	someInUse = "state || '' IN ('staged', 'active', 'retiring')"
)

// laneQuery is a statement that reads rows of lanes.
type laneQuery struct {
	what, table string
	selected    string
	all         string // the condition for all lanes
	some        string // that for the lanes of partners; empty: as for all
	partner     string // the column that names the partner
	environment string // the column that names the environment; empty: there is none
	one         string // the condition for one lane, with args
	args        func(lanes.Name) []any
	shared      bool // rows without a partner are for all of them
}

func ofPartner(n lanes.Name) []any     { return []any{n.Partner} }
func ofEnvironment(n lanes.Name) []any { return []any{n.Partner, n.Environment} }

// partnersAtOnce is for how many partners rows are read by one statement.
const partnersAtOnce = 100

// queries returns the statements of a query, with their arguments.
func (r laneRows) queries(q laneQuery) []laneStatement {
	var all []laneStatement
	add := func(condition string, args ...any) {
		if q.environment != "" && len(r.environments) > 0 {
			condition += " AND " + q.environment + " IN (" + placeholders(len(r.environments)) + ")"
			for _, e := range r.environments {
				args = append(args, e)
			}
		}
		all = append(all, laneStatement{q.selected + " WHERE " + condition, args})
	}
	switch {
	case r.one != nil:
		add(q.one, q.args(*r.one)...)
		return all
	case r.changed == nil:
		add(q.all)
		return all
	}
	some := cmp.Or(q.some, q.all) + " AND "
	for partners := range slices.Chunk(r.changed.Partners, partnersAtOnce) {
		args := make([]any, 0, partnersAtOnce)
		for _, p := range partners {
			args = append(args, p)
		}
		wanted := 1
		for wanted < len(args) { // few different statements, because they are prepared
			wanted *= 10
		}
		for len(args) < wanted {
			args = append(args, args[0])
		}
		add(some+q.partner+" IN ("+placeholders(len(args))+")", args...)
	}
	if q.shared && r.changed.Shared {
		add(some + q.partner + " IS NULL")
	}
	return all
}

type laneStatement struct {
	written string
	args    []any
}

// laneRow returns the rows of a query. read scans one; any content of a column can be
// scanned as a loose value.
func laneRow[T any](r laneRows, q laneQuery, read func(scan, *T) (id string, err error)) iter.Seq2[T, error] {
	one := func(row scan) (one T, err error) {
		id, err := read(row, &one)
		if err != nil {
			err = &rowError{fmt.Sprintf("%s %q", q.what, id), q.table, id, 0, err}
		}
		return one, err
	}
	return func(yield func(T, error) bool) {
		for _, s := range r.queries(q) {
			for row, err := range stream(r.tx, "lanes: "+q.what, s.written, one, s.args...) {
				if !yield(row, err) {
					return
				}
			}
			if r.tx.broken != nil {
				return
			}
		}
	}
}

// unfit is the reason why a row cannot be used. It contains no value of the row.
type unfit string

func (u unfit) Error() string { return string(u) }

func (r laneRows) Partners() iter.Seq2[lanes.Partner, error] {
	q := laneQuery{
		what: "partner", table: "partner", selected: "SELECT id, profile, side FROM partner",
		all: "archived < 0", partner: "id", one: "archived < 0 AND id = ?", args: ofPartner,
	}
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
const (
	notArchived     = "partner NOT IN (SELECT id FROM partner WHERE archived > 0)"
	someNotArchived = "NOT EXISTS (SELECT 1 FROM partner p WHERE p.id = environment.partner AND p.archived > 0)"
)

func (r laneRows) Environments() iter.Seq2[lanes.Environment, error] {
	q := laneQuery{
		what: "environment", table: "environment",
		selected: `SELECT partner, name, COALESCE(account, ''), sealing, caller, accept_rsa_oaep, url, limits,
			expired, no_resend, max_payload FROM environment`,
		all: notArchived, some: someNotArchived, partner: "partner", environment: "name",
		one: someNotArchived + " AND partner = ? AND name = ?", args: ofEnvironment,
	}
	return laneRow(r, q, func(row scan, e *lanes.Environment) (string, error) {
		var sealing, caller, limits, expired string
		var payload any
		err := row(loose{&e.Partner}, loose{&e.Name}, loose{&e.Account}, loose{&sealing}, loose{&caller},
			loose{&e.AcceptRSAOAEP}, loose{&e.URL}, loose{&limits}, loose{&expired}, loose{&e.NoResend}, &payload)
		e.Sealing, e.SenderAuth = sealane.Sealing(sealing), sealane.SenderAuth(caller)
		e.Expired = sealane.Expired(expired)
		n, is := payload.(int64)
		switch e.MaxPayload = int(n); {
		case err != nil:
		case !is:
			err = unfit("its max_payload is not a number")
		case limits != "" && json.Unmarshal([]byte(limits), &e.Limits) != nil:
			err = unfit("its limits can't be read")
		}
		return e.Partner + "/" + e.Name, err
	})
}

func (r laneRows) APIKeys() iter.Seq2[lanes.APIKey, error] {
	q := laneQuery{
		what: "API key", table: "api_key",
		selected: "SELECT id, partner, environment, hmac, binding, sealing FROM api_key",
		all:      "revoked = 0", partner: "partner", environment: "environment",
		one: "revoked = 0 AND partner = ? AND environment = ?", args: ofEnvironment,
	}
	return laneRow(r, q, func(row scan, k *lanes.APIKey) (string, error) {
		var sealing string
		err := row(loose{&k.ID}, loose{&k.Partner}, loose{&k.Environment}, looseBytes{&k.HMAC}, looseBytes{&k.Binding},
			loose{&sealing})
		k.Sealing = sealane.Sealing(sealing)
		if err == nil && len(k.HMAC) != 0 && len(k.HMAC) != sha256.Size {
			err = unfit("its hmac is none")
		}
		return k.ID, err
	})
}

// Confirmations returns those of pairs in any state: the record of a shared pair that changes its
// state does not name the partners who have confirmed it.
func (r laneRows) Confirmations() iter.Seq2[lanes.Confirmation, error] {
	const confirmed = "o.confirmed > 0"
	q := laneQuery{
		what: "offer", table: "offer",
		selected: "SELECT o.key_pair, o.partner, o.confirmed FROM offer o JOIN key_pair k ON k.id = o.key_pair",
		all:      confirmed,
		partner:  "o.partner", environment: "k.environment", one: confirmed + " AND o.partner = ?", args: ofPartner,
	}
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

var laneKeyPairs = laneQuery{
	what: "key pair", table: "key_pair",
	selected: `SELECT id, profile, COALESCE(partner, ''), environment, key_id, state, spki_sha256, spki, sealed,
		body FROM key_pair`,
	all: allInUse, some: someInUse, partner: "partner", environment: "environment", shared: true,
	one: inUse + ` AND (partner = ? AND environment = ?
		OR partner IS NULL AND environment = ? AND profile = (SELECT p.profile FROM partner p WHERE p.id = ?))`,
	args: func(n lanes.Name) []any { return []any{n.Partner, n.Environment, n.Environment, n.Partner} },
}

func (r laneRows) KeyPairs() iter.Seq2[lanes.KeyPair, error] {
	return laneRow(r, laneKeyPairs, func(row scan, k *lanes.KeyPair) (string, error) {
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

var laneCertificates = laneQuery{
	what: "certificate", table: "certificate",
	selected: `SELECT certificate.id, partner, environment, key_id, state, spki, spki_sha256, der, sha256
		FROM certificate LEFT JOIN certificate_text ON certificate_text.id = certificate.id`,
	all: allInUse + " AND owner = 'theirs'", some: someInUse + " AND owner || '' = 'theirs'",
	partner: "partner", environment: "environment",
	one:  inUse + " AND owner = 'theirs' AND partner = ? AND environment = ?",
	args: ofEnvironment,
}

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

// ownCertificates reads only what tells when a certificate ends, and whether the rest of it is there. Those of
// partners have no key pair, so that an index finds ours among them.
var ownCertificates = laneQuery{
	what: "certificate", table: "certificate",
	selected: `SELECT id, COALESCE(partner, ''), key_pair, serial_number, not_after,
		CASE WHEN listed = version THEN listed_not_before ELSE 0 END,
		(SELECT t.id FROM certificate_text t WHERE t.id = certificate.id) FROM certificate`,
	all: allInUse + " AND owner = 'ours' AND key_pair > ''", some: someInUse + " AND owner || '' = 'ours'",
	partner: "partner", environment: "environment", shared: true,
	one:  inUse + " AND owner = 'ours' AND partner = ? AND environment = ?",
	args: ofEnvironment,
}

func (r laneRows) OwnCertificates() iter.Seq2[lanes.OwnCertificate, error] {
	return laneRow(r, ownCertificates, func(row scan, c *lanes.OwnCertificate) (string, error) {
		var begin, end any
		var whole string
		err := row(loose{&c.ID}, loose{&c.Partner}, loose{&c.KeyPair}, loose{&c.Serial}, &end, &begin, loose{&whole})
		micro, is := end.(int64)
		c.NotAfter = time.UnixMicro(micro).UTC()
		if began, known := begin.(int64); known && began > 0 {
			c.NotBefore = time.UnixMicro(began).UTC()
		}
		switch {
		case err != nil:
		case !is:
			err = unfit("its not_after is not a time")
		case whole == "":
			err = unfit("its body is not there")
		}
		return c.ID, err
	})
}

func (r laneRows) HashKey() ([]byte, error) { return r.tx.Setting(registry.SettingHashKey) }

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
