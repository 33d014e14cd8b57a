package store

import (
	"fmt"
	"strconv"
	"strings"
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

// Relying goes through the environments of the pair's kind.
func (t *tx) Relying(k registry.KeyPair, n int) ([]string, error) {
	confirmed := "o.confirmed"
	if k.Origin == registry.Imported {
		confirmed = "COALESCE(o.confirmed, " + strconv.FormatInt(k.Created.UnixMicro(), 10) + ")"
	}
	statement := strings.ReplaceAll(relying, "CONFIRMED", confirmed)
	what := fmt.Sprintf("partners that rely on key pair %q", k.ID)
	return texts(t, what, statement, k.ID, k.Profile, k.Environment, n)
}

const relying = `SELECT e.partner FROM environment e JOIN partner w ON w.id = e.partner
	LEFT JOIN offer o ON o.partner = e.partner AND o.key_pair = ? AND o.confirmed > 0
	WHERE w.profile = ? AND e.name = ? AND CONFIRMED IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM key_pair p
		WHERE p.partner = e.partner AND p.profile = w.profile AND p.environment = e.name AND p.state = 'active')
	AND NOT EXISTS (SELECT 1 FROM offer l JOIN key_pair p ON p.id = l.key_pair
		WHERE l.partner = e.partner AND l.confirmed > CONFIRMED
		AND p.partner IS NULL AND p.profile = w.profile AND p.environment = e.name AND p.state = 'active')
	ORDER BY e.partner LIMIT ?`
