package store

import (
	"time"

	"github.com/sealane/sealane/internal/registry"
)

const inUse = "state IN ('staged', 'active', 'retiring')"

// Lanes reads each table once, from its beginning to its end: most rows are
// wanted. Each column takes its time, so that what no lane is made of stays out.
func (t *tx) Lanes(to registry.LaneRows) error {
	readPartner := func(row scan) (p registry.Partner, err error) {
		var side string
		if err = row(&p.ID, &p.Profile, &side); err == nil {
			err = p.Side.UnmarshalText([]byte(side))
		}
		return p, err
	}
	if err := give(t, "lanes: partners", readPartner, to.Partner,
		"SELECT id, profile, side FROM partner"); err != nil {
		return err
	}
	readEnvironment := func(row scan) (e registry.Environment, err error) {
		err = row(&e.Partner, &e.Name, &e.Account, &e.Sealing, &e.SenderAuth, &e.AcceptRSAOAEP, &e.MaxPayload)
		return e, err
	}
	if err := give(t, "lanes: environments", readEnvironment, to.Environment,
		"SELECT partner, name, COALESCE(account, ''), sealing, caller, accept_rsa_oaep, max_payload FROM environment"); err != nil {
		return err
	}
	readKey := func(row scan) (k registry.APIKey, err error) {
		err = row(&k.ID, &k.Partner, &k.Environment, bytesInto[[]byte]{&k.SHA256}, &k.Sealing)
		return k, err
	}
	if err := give(t, "lanes: API keys", readKey, to.APIKey,
		"SELECT id, partner, environment, sha256, sealing FROM api_key WHERE revoked = 0"); err != nil {
		return err
	}
	readOffer := func(row scan) (o registry.Offer, err error) {
		var confirmed int64
		err = row(&o.KeyPair, &o.Partner, &confirmed)
		o.Confirmed = time.UnixMicro(confirmed).UTC()
		return o, err
	}
	if err := give(t, "lanes: offers", readOffer, to.Offer,
		"SELECT o.key_pair, o.partner, o.confirmed FROM offer o JOIN key_pair k ON k.id = o.key_pair WHERE o.confirmed > 0 AND k.partner IS NULL AND k.state = 'active'"); err != nil {
		return err
	}
	keyPairs := keyPairTable.whole()
	if err := give(t, "lanes: key pairs", keyPairs.read, to.KeyPair, keyPairs.statement+" WHERE "+inUse); err != nil {
		return err
	}
	read := func(row scan) (c registry.Certificate, err error) {
		err = row(&c.ID, &c.Partner, &c.Environment, &c.KeyID, &c.State, bytesInto[[]byte]{&c.SPKI})
		return c, err
	}
	return give(t, "lanes: certificates", read, to.Certificate,
		"SELECT id, partner, environment, key_id, state, spki FROM "+
			t.store.dialect.whole("certificate")+" WHERE owner = 'theirs' AND "+inUse)
}

// give gives what read makes of each row; one at a time is in memory.
func give[T any](t *tx, what string, read func(scan) (T, error), to func(T) error, written string) error {
	if to == nil {
		return nil
	}
	return t.rows(what, written, nil, func(row scan) error {
		one, err := read(row)
		if err != nil {
			return t.unreadable(what, err)
		}
		return to(one)
	})
}

// SPKIs gives the keys of our pairs first, then those of all certificates. yield
// can't use the transaction, as is so with the functions of Lanes.
func (t *tx) SPKIs(yield func(id string, spki []byte) bool) error {
	for _, written := range []string{"SELECT id, spki FROM key_pair", "SELECT id, spki FROM certificate"} {
		more := true
		err := t.rows("public keys", written, nil, func(row scan) error {
			var id string
			var spki []byte
			if err := row(&id, bytesInto[[]byte]{&spki}); err != nil {
				return t.unreadable("public keys", err)
			}
			if more = yield(id, spki); !more {
				return errEnough
			}
			return nil
		})
		if !more {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
