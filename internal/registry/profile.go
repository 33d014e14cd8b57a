package registry

import (
	"bytes"
	"context"
	"slices"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// LoadProfile returns a profile by its name: an embedded one, or one that was added. Those
// are kept in the registry, so that nobody changes their rules without a record.
func LoadProfile(tx Reader, name string) (*profile.Profile, error) {
	return lanes.LoadProfile(name, tx.Profile)
}

// AddProfile adds a profile, or changes one that was added, and returns its name. A change
// concerns all partners who have the profile, so it needs an administrator and a reason.
func (s *Session) AddProfile(ctx context.Context, source []byte) (name string, err error) {
	p, err := profile.Parse(source)
	if err != nil {
		return "", Judged(err)
	}
	if err := checkName("profile", p.Name); err != nil {
		return "", err
	}
	if slices.Contains(profile.Names(), p.Name) {
		return "", Refuse("profile %s is an embedded one: give yours another name", p.Name)
	}
	if err := s.May(ActionProfileAdd); err != nil {
		return "", err
	}
	var before []byte
	err = s.View(ctx, func(tx Reader) (err error) {
		before, err = tx.Profile(p.Name)
		return err
	})
	if err != nil || bytes.Equal(before, source) {
		return p.Name, err
	}
	action := ActionProfileAdd
	if len(before) > 0 {
		action = ActionProfileChange
	}
	return p.Name, s.Change(ctx, Entry{Action: action, Subject: "profile/" + p.Name}, func(tx Tx, entry *Entry) error {
		now, err := tx.Profile(p.Name)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, before) {
			return ErrConflict
		}
		partners, err := partnersOf(tx, p)
		if err != nil {
			return err
		}
		entry.Before, entry.After = string(before), map[string]any{"profile": string(source), "partners": partners}
		return tx.PutProfile(p.Name, source)
	})
}

// partnersOf counts the partners who have a profile, and refuses a profile that lacks an
// environment of theirs.
func partnersOf(tx Tx, p *profile.Profile) (count int, err error) {
	speak := map[string]bool{}
	for partner, err := range tx.Lanes().Partners() {
		if err != nil {
			return 0, err
		}
		if partner.Profile == p.Name {
			speak[partner.ID] = true
		}
	}
	for env, err := range tx.Lanes().Environments() {
		if err != nil {
			return 0, err
		}
		if speak[env.Partner] && len(p.Environments) > 0 && !slices.Contains(p.Environments, env.Name) {
			return 0, Refuse("profile %s lacks environment %s, which partner %s has",
				p.Name, env.Name, env.Partner)
		}
	}
	return len(speak), nil
}

func (r *Registry) loadProfile(ctx context.Context, name string) (p *profile.Profile, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		p, err = LoadProfile(tx, name)
		return err
	})
	return p, err
}
