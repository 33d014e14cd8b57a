package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var offerTable = &table[registry.Offer]{
	name: "offer",
	row: func(o *registry.Offer) string {
		return fmt.Sprintf("offer of key pair %q to partner %q", o.KeyPair, o.Partner)
	},
	key: []column[registry.Offer]{
		text("key_pair", func(o *registry.Offer) *string { return &o.KeyPair }),
		text("partner", func(o *registry.Offer) *string { return &o.Partner }),
	},
	columns: []column[registry.Offer]{
		instant("at", func(o *registry.Offer) *time.Time { return &o.At }),
		instant("installed", func(o *registry.Offer) *time.Time { return &o.Installed }),
		text("said", func(o *registry.Offer) *string { return &o.Said }),
		instant("confirmed", func(o *registry.Offer) *time.Time { return &o.Confirmed }),
	},
	version: func(o *registry.Offer) *int64 { return &o.Version },
}

// Offers reads by the partner, who has few.
func (t *tx) Offers(partner string) ([]registry.Offer, error) {
	return list(t, fmt.Sprintf("offers to partner %q", partner), offerTable.listed(),
		" WHERE partner = ? ORDER BY key_pair", partner)
}

func (t *tx) PutOffer(o *registry.Offer) error { return put(t, offerTable, o) }

// OpenOffers reads by the key pair, of whose offers most are confirmed.
func (t *tx) OpenOffers(pair string, n int) ([]string, error) {
	return texts(t, fmt.Sprintf("open offers of key pair %q", pair),
		"SELECT partner FROM offer WHERE key_pair = ? AND at > 0 AND confirmed <= 0 AND "+notArchived+
			" ORDER BY partner"+upTo, pair, n)
}

// OfferCounts counts by the primary key, which begins with the pair.
func (t *tx) OfferCounts(pairs []string) (map[string]registry.OfferCount, error) {
	counts := map[string]registry.OfferCount{}
	for some := range slices.Chunk(pairs, 100) {
		var args []any
		for _, id := range some {
			args = append(args, id)
		}
		read := func(row scan) (id string, err error) {
			var n registry.OfferCount
			err = row(&id, &n.Installed, &n.Waiting)
			counts[id] = n
			return id, err
		}
		_, err := list(t, "offers", selection[string]{`SELECT key_pair, SUM(CASE WHEN confirmed > 0 THEN 1 ELSE 0 END),
			SUM(CASE WHEN at > 0 AND confirmed <= 0 THEN 1 ELSE 0 END) FROM offer`, read},
			" WHERE key_pair IN ("+placeholders(len(some))+") AND (at > 0 OR confirmed > 0) GROUP BY key_pair",
			args...)
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// Unoffered goes through the confirmations of the pair.
func (t *tx) Unoffered(k registry.KeyPair, successor string, n int) ([]string, error) {
	return texts(t, fmt.Sprintf("partners without an offer of %q", successor), relying+laterActive+`
		AND NOT EXISTS (SELECT 1 FROM offer f WHERE f.partner = e.partner AND f.key_pair = ? AND
			(f.at > 0 OR f.confirmed > 0)) ORDER BY e.partner`+upTo, k.ID, k.Profile, k.Environment, successor, n)
}

// Unanswered reads by the key pair.
func (t *tx) Unanswered(pair string, before time.Time, n int) ([]string, error) {
	return texts(t, fmt.Sprintf("unanswered offers of key pair %q", pair),
		"SELECT partner FROM offer WHERE key_pair = ? AND at > 0 AND at < ? AND confirmed <= 0 AND installed <= "+
			"0 AND "+
			notArchived+" ORDER BY partner"+upTo, pair, before.UnixMicro(), n)
}

// OfferedSince reads by the key pair.
func (t *tx) OfferedSince(pair string, since time.Time) (int, error) {
	read := func(row scan) (n int, err error) {
		err = row(&n)
		return n, err
	}
	return one(t, fmt.Sprintf("offers of key pair %q", pair),
		selection[int]{"SELECT CAST(COUNT(*) AS BIGINT) FROM offer", read}, " WHERE key_pair = ? AND at >= ?",
		pair, since.UnixMicro())
}

// Relying goes through the confirmations of the pair.
func (t *tx) Relying(k registry.KeyPair, n int) ([]string, error) {
	var without string
	switch k.State {
	case registry.Active:
		without = laterActive
	case registry.Retiring:
		without = usable
	default:
		return nil, nil
	}
	what := fmt.Sprintf("partners that rely on key pair %q", k.ID)
	return texts(t, what, relying+without+" ORDER BY e.partner"+upTo, k.ID, k.Profile, k.Environment, n)
}

// rotations are those of environments, without what else these have.
var rotations = selection[registry.Rotation]{
	"SELECT DISTINCT e.rotation FROM " + ofSharing,
	func(row scan) (r registry.Rotation, err error) {
		err = row(documentInto[registry.Rotation]{&r})
		return r, err
	},
}

func (t *tx) SharedRotations(k registry.KeyPair) ([]registry.Rotation, error) {
	what := fmt.Sprintf("rotations of those who share key pair %q", k.ID)
	return list(t, what, rotations, "", k.ID, k.Profile, k.Environment)
}

// relying are the partners who have confirmed a shared pair.
const relying = `SELECT e.partner FROM ` + ofSharing

const ofSharing = `environment e JOIN partner w ON w.id = e.partner
	JOIN offer o ON o.partner = e.partner AND o.key_pair = ? AND o.confirmed > 0
	WHERE w.profile = ? AND w.archived < 0 AND e.name = ?`

// laterActive leaves out those who have confirmed another active pair later; the identities decide
// a tie, as in [lanes.StateFor].
const laterActive = ` AND NOT EXISTS (SELECT 1 FROM offer l JOIN key_pair p ON p.id = l.key_pair
		WHERE l.partner = e.partner
		AND (l.confirmed > o.confirmed OR l.confirmed = o.confirmed AND l.key_pair > o.key_pair)
		AND p.profile = w.profile AND p.environment = e.name AND p.state = 'active')`

// usable leaves out those who have another pair, active or retiring.
const usable = ` AND NOT EXISTS (SELECT 1 FROM key_pair p
		WHERE p.partner = e.partner AND p.profile = w.profile AND p.environment = e.name
		AND p.state IN ('active', 'retiring'))
	AND NOT EXISTS (SELECT 1 FROM offer l JOIN key_pair p ON p.id = l.key_pair
		WHERE l.partner = e.partner AND l.key_pair <> o.key_pair AND l.confirmed > 0
		AND p.partner IS NULL AND p.profile = w.profile AND p.environment = e.name
		AND p.state IN ('active', 'retiring'))`
