package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyring"
)

var _ lanes.Store = (*Store)(nil)

// ReadLanes implements [lanes.Store].
func (s *Store) ReadLanes(ctx context.Context, read func(lanes.Rows) error) error {
	return s.view(ctx, func(t *tx) error { return read(t.Lanes()) })
}

// UsedAPIKeys implements [lanes.Store].
func (s *Store) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	return s.update(ctx, func(t *tx) error { return t.usedAPIKeys(at) })
}

func (t *tx) Lanes() lanes.Rows { return laneRows{t} }

// laneRows reads each table once, from its beginning to its end: most rows are wanted. Each
// column takes its time, so that what no lane is made of stays out.
type laneRows struct{ tx *tx }

// inUse has a CAST because an index can't be used for that: SQLite would look up each of the many
// rows by itself, which takes four times as long as reading the table.
const inUse = " WHERE CAST(state AS TEXT) IN ('staged', 'active', 'retiring')"

func (r laneRows) Partners() iter.Seq2[lanes.Partner, error] {
	const statement = "SELECT id, profile, side FROM partner"
	return laneRow(r.tx, "partners", statement, func(row scan, p *lanes.Partner) error {
		var side string
		if err := row(&p.ID, &p.Profile, &side); err != nil {
			return err
		}
		return p.Side.UnmarshalText([]byte(side))
	})
}

func (r laneRows) Environments() iter.Seq2[lanes.Environment, error] {
	const statement = `SELECT partner, name, COALESCE(account, ''), sealing, caller, accept_rsa_oaep, max_payload
		FROM environment`
	return laneRow(r.tx, "environments", statement, func(row scan, e *lanes.Environment) error {
		return row(&e.Partner, &e.Name, &e.Account, &e.Sealing, &e.SenderAuth, &e.AcceptRSAOAEP, &e.MaxPayload)
	})
}

func (r laneRows) APIKeys() iter.Seq2[lanes.APIKey, error] {
	const statement = "SELECT id, partner, environment, sha256, sealing FROM api_key WHERE revoked = 0"
	return laneRow(r.tx, "API keys", statement, func(row scan, k *lanes.APIKey) error {
		return row(&k.ID, &k.Partner, &k.Environment, bytesInto[[]byte]{&k.SHA256}, &k.Sealing)
	})
}

func (r laneRows) Confirmations() iter.Seq2[lanes.Confirmation, error] {
	const statement = `SELECT o.key_pair, o.partner, o.confirmed FROM offer o JOIN key_pair k ON k.id = o.key_pair
		WHERE o.confirmed > 0 AND k.partner IS NULL AND k.state = 'active'`
	return laneRow(r.tx, "offers", statement, func(row scan, c *lanes.Confirmation) error {
		return row(&c.KeyPair, &c.Partner, instantInto{&c.At})
	})
}

func (r laneRows) KeyPairs() iter.Seq2[lanes.KeyPair, error] {
	whole := keyPairTable.whole()
	return laneRow(r.tx, "key pairs", whole.statement+inUse, func(row scan, k *lanes.KeyPair) error {
		stored, err := whole.read(row)
		if err != nil {
			return err
		}
		*k = lanes.KeyPair{
			ID: stored.ID, Profile: stored.Profile, Partner: stored.Partner, Environment: stored.Environment,
			KeyID: stored.KeyID, SPKI: stored.SPKI, Sealed: stored.Sealed, SealedAs: stored.SealedAs,
		}
		if stored.Origin == registry.Imported { // the partners had it before
			k.Installed = stored.Created
		}
		return stateInto{&k.State}.Scan(string(stored.State))
	})
}

const selectLaneCertificates = `SELECT partner, environment, key_id, state, spki FROM certificate` +
	inUse + ` AND owner = 'theirs'`

func (r laneRows) Certificates() iter.Seq2[lanes.Certificate, error] {
	return laneRow(r.tx, "certificates", selectLaneCertificates, func(row scan, c *lanes.Certificate) error {
		return row(&c.Partner, &c.Environment, &c.KeyID, stateInto{&c.State}, bytesInto[[]byte]{&c.SPKI})
	})
}

func (r laneRows) Profile(name string) ([]byte, error) { return r.tx.Profile(name) }

// stateInto scans the state of a key in use.
type stateInto struct{ to *keyring.State }

// Scan implements [database/sql.Scanner].
func (s stateInto) Scan(value any) error {
	name, is := value.(string)
	if !is {
		return fmt.Errorf("%T is not a text", value)
	}
	state, err := lanes.ParseState(name)
	*s.to = state
	return err
}

func laneRow[T any](t *tx, what, statement string, read func(scan, *T) error) iter.Seq2[T, error] {
	return stream(t, "lanes: "+what, statement, func(row scan) (one T, err error) {
		err = read(row, &one)
		return one, err
	})
}

// stream returns the rows of a statement; one at a time is in memory. It yields the error of a
// row that can't be read, and goes on; it yields any other error, and ends.
func stream[T any](
	t *tx, what, statement string, read func(scan) (T, error), args ...any,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := t.rows(what, statement, args, func(row scan) error {
			one, err := read(row)
			if err != nil {
				err = t.unreadable(what, err)
				if t.broken != nil {
					return err
				}
			}
			if !yield(one, err) {
				stopped = true
				return errEnough
			}
			return nil
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}
