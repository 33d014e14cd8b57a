package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane"
)

// Partner is a company with which we exchange messages of one profile.
type Partner struct {
	ID      string       `json:"id"` // short name: small letters, digits, hyphens
	Name    string       `json:"name"`
	Profile string       `json:"profile"`       // an embedded profile's name, or that of one given to the registry
	Side    sealane.Side `json:"side,omitzero"` // ours: ClientSide calls the partner, ServerSide is called
	Created time.Time    `json:"created"`
	Version int64        `json:"-"` // of the row; 0: not stored yet
}

// AddPartner adds a partner.
func (s *Session) AddPartner(ctx context.Context, p Partner) error {
	entry := Entry{Action: ActionPartnerAdd, Subject: "partner/" + p.ID, Partner: p.ID}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		return s.addPartner(tx, entry, p)
	})
}

func (s *Session) addPartner(tx Tx, entry *Entry, p Partner) error {
	if err := checkName("partner", p.ID); err != nil {
		return err
	}
	if p.Name = strings.TrimSpace(p.Name); p.Name == "" {
		return Refuse("partner %s has no name", p.ID)
	}
	if _, err := LoadProfile(tx, p.Profile); err != nil {
		return err
	}
	if p.Side != sealane.ClientSide && p.Side != sealane.ServerSide {
		return Refuse("partner %s: say which side we are: client (egress, we call them) or server (ingress, they "+
			"call us)", p.ID)
	}
	p.Created, p.Version = s.registry.now(), 0
	entry.After = p
	if err := tx.PutPartner(&p); errors.Is(err, ErrExists) {
		return fmt.Errorf("partner %s: %w", p.ID, ErrExists)
	} else if err != nil {
		return err
	}
	return nil
}
