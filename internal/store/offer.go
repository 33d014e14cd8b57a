package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

func readOffer(row scan) (o registry.Offer, err error) {
	var at, confirmed int64
	err = row(&o.KeyPair, &o.Partner, &at, &confirmed, &o.Version)
	o.At, o.Confirmed = fromMicro(at), fromMicro(confirmed)
	return o, err
}

// Offers reads by the partner, who has few.
func (t *tx) Offers(partner string) ([]registry.Offer, error) {
	return list(t, fmt.Sprintf("offers to partner %q", partner), readOffer,
		"SELECT key_pair, partner, at, confirmed, version FROM offer WHERE partner = ? ORDER BY key_pair", partner)
}

func (t *tx) PutOffer(o *registry.Offer) error {
	what := fmt.Sprintf("offer of key pair %q to partner %q", o.KeyPair, o.Partner)
	if o.Version == 0 {
		n, err := t.exec(what, "INSERT INTO offer (at, confirmed, key_pair, partner, version) VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
			micro(o.At), micro(o.Confirmed), o.KeyPair, o.Partner)
		err = inserted(what, n, err)
		return counted(&o.Version, err)
	}
	n, err := t.exec(what, "UPDATE offer SET at = ?, confirmed = ?, version = version + 1 WHERE key_pair = ? AND partner = ? AND version = ?",
		micro(o.At), micro(o.Confirmed), o.KeyPair, o.Partner, o.Version)
	err = updated(what, n, err)
	return counted(&o.Version, err)
}

// Relying goes through the environments of the pair's kind.
func (t *tx) Relying(k registry.KeyPair, n int) ([]string, error) {
	confirmed, args := "o.confirmed", []any{k.ID}
	if k.Origin == registry.Imported {
		confirmed = "COALESCE(o.confirmed, " + strconv.FormatInt(micro(k.Created), 10) + ")"
	}
	return list(t, fmt.Sprintf("partners that rely on key pair %q", k.ID), readText, `SELECT e.partner FROM environment e JOIN partner w ON w.id = e.partner
		LEFT JOIN offer o ON o.partner = e.partner AND o.key_pair = ? AND o.confirmed > 0
		WHERE w.profile = ? AND e.name = ? AND `+confirmed+` IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM key_pair p WHERE p.partner = e.partner AND p.profile = w.profile AND p.environment = e.name AND p.state = 'active')
		AND NOT EXISTS (SELECT 1 FROM offer l JOIN key_pair p ON p.id = l.key_pair WHERE l.partner = e.partner AND l.confirmed > `+confirmed+`
			AND p.partner IS NULL AND p.profile = w.profile AND p.environment = e.name AND p.state = 'active')
		ORDER BY e.partner LIMIT ?`, append(args, k.Profile, k.Environment, n)...)
}

// micro keeps a time to the microsecond; 0 is that of none.
func micro(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

func fromMicro(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}
