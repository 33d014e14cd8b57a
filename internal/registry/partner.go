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
	// Archived is when the partner was archived: hidden from lists, without lanes, and refused for
	// new work until it is brought back.
	Archived time.Time `json:"archived,omitzero"`
	Version  int64     `json:"-"` // of the row; 0: not stored yet
}

// NewPartner is a partner with what it needs.
type NewPartner struct {
	Partner
	// ProfileSource is the text of the partner's profile, if it is not in the registry yet.
	ProfileSource []byte `json:"profile_source,omitempty"`
	// Environment is added too, if it has a name.
	Environment Environment `json:"environment"`
}

// AddPartner adds a partner.
func (s *Session) AddPartner(ctx context.Context, p Partner) error {
	return s.AddPartnerWith(ctx, NewPartner{Partner: p})
}

// AddPartnerWith adds a partner, its profile and its first environment in one change: where one of
// them is refused, none is added.
func (s *Session) AddPartnerWith(ctx context.Context, n NewPartner) error {
	entry := Entry{Action: ActionPartnerAdd, Subject: "partner/" + n.ID, Partner: n.ID,
		Environment: n.Environment.Name}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		if err := checkName("partner", n.ID); err != nil {
			return err
		}
		after := map[string]any{}
		entry.After = after
		if len(n.ProfileSource) > 0 {
			p, added, err := s.addProfile(tx, n.ProfileSource)
			if err != nil {
				return err
			}
			if n.Partner.Profile = p.Name; added {
				after["profile"] = string(n.ProfileSource)
			}
		}
		if err := s.addPartner(tx, n.Partner); err != nil || n.Environment.Name == "" {
			return err
		}
		if err := s.May(ActionEnvironmentAdd); err != nil {
			return err
		}
		env := n.Environment
		env.Partner = n.ID
		entry.first, after["environment"] = &env, env // an approver reads it, and whose it is
		after["partner"] = map[string]any{"name": n.Name, "profile": n.Profile, "side": n.Side}
		return s.addEnvironment(tx, &Entry{}, env)
	})
}

func (s *Session) addPartner(tx Tx, p Partner) error {
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
	p.Created, p.Archived, p.Version = s.registry.now(), time.Time{}, 0
	if err := tx.PutPartner(&p); errors.Is(err, ErrExists) {
		return fmt.Errorf("partner %s: %w", p.ID, ErrExists)
	} else if err != nil {
		return err
	}
	return nil
}
