package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

var partnerTable = &table[registry.Partner]{
	name: "partner",
	row:  func(p *registry.Partner) string { return fmt.Sprintf("partner %q", p.ID) },
	key: []column[registry.Partner]{
		text("id", func(p *registry.Partner) *string { return &p.ID }),
	},
	columns: []column[registry.Partner]{
		text("name", func(p *registry.Partner) *string { return &p.Name }),
		text("profile", func(p *registry.Partner) *string { return &p.Profile }),
		text("side", func(p *registry.Partner) *sealane.Side { return &p.Side }),
		instant("archived", func(p *registry.Partner) *time.Time { return &p.Archived }),
		names(registry.Partner.SearchTexts),
	},
	version: func(p *registry.Partner) *int64 { return &p.Version },
	body:    true,
}

func (t *tx) Partner(id string) (registry.Partner, error) {
	p, err := find(t, partnerTable, registry.Partner{ID: id})
	if errors.Is(err, registry.ErrNotFound) {
		err = &registry.UnknownPartner{ID: id}
	}
	return p, err
}

func (t *tx) Partners(page registry.Page) ([]registry.Partner, error) {
	return list(t, "partners", partnerTable.listed(), " WHERE id > ? ORDER BY id"+upTo, page.After, limit(page))
}

func (t *tx) PutPartner(p *registry.Partner) error { return put(t, partnerTable, p) }
