package registry

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// LoadProfile returns a profile by its name: an embedded one, or one that was added. Those
// are kept in the registry, so that nobody changes their rules without a record.
func LoadProfile(tx Reader, name string) (*profile.Profile, error) {
	return lanes.LoadProfile(name, tx.Profile)
}

// AddProfile adds a profile, and returns its name. One that is there already, with the same text,
// stays.
func (s *Session) AddProfile(ctx context.Context, source []byte) (name string, err error) {
	p, err := ownProfile(source)
	if err != nil {
		return "", err
	}
	if err := s.May(ActionProfileAdd); err != nil {
		return "", err
	}
	var there []byte
	err = s.View(ctx, func(tx Reader) (err error) {
		there, err = tx.Profile(p.Name)
		return err
	})
	if err != nil || bytes.Equal(there, source) {
		return p.Name, err
	}
	entry := Entry{Action: ActionProfileAdd, Subject: "profile/" + p.Name}
	return p.Name, s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		_, _, err := s.addProfile(tx, source)
		entry.After = map[string]any{"profile": string(source)}
		return err
	})
}

// ownProfile parses a profile that is to be added.
func ownProfile(source []byte) (*profile.Profile, error) {
	p, err := profile.Parse(source)
	if err != nil {
		return nil, Judged(err)
	}
	if err := checkName("profile", p.Name); err != nil {
		return nil, err
	}
	if slices.Contains(profile.Names(), p.Name) {
		return nil, Refuse("profile %s is an embedded one: give yours another name", p.Name)
	}
	return p, nil
}

// addProfile adds a profile as part of a change. It reports whether it was not there yet.
func (s *Session) addProfile(tx Tx, source []byte) (p *profile.Profile, added bool, err error) {
	if err := s.May(ActionProfileAdd); err != nil {
		return nil, false, err
	}
	if p, err = ownProfile(source); err != nil {
		return nil, false, err
	}
	there, err := tx.Profile(p.Name)
	switch {
	case err != nil:
		return nil, false, err
	case bytes.Equal(there, source):
		return p, false, nil
	case len(there) > 0:
		return nil, false, Refuse("profile %s is there with other rules, which hold for all its partners: change it "+
			"by itself, or give yours another name", p.Name).Then(Advice{Action: ActionProfileChange, ID: p.Name})
	}
	return p, true, tx.PutProfile(p.Name, source)
}

// ChangeProfile changes the rules of a profile that was added, for all partners who have it.
func (s *Session) ChangeProfile(ctx context.Context, name string, source []byte) error {
	p, err := ownProfile(source)
	if err != nil {
		return err
	}
	if p.Name != name {
		return Refuse("the text is that of profile %s, not of %s", p.Name, name)
	}
	return s.Change(ctx, Entry{Action: ActionProfileChange, Subject: "profile/" + name},
		func(tx Tx, entry *Entry) error {
			before, err := addedProfile(tx, name)
			if err != nil {
				return err
			}
			if bytes.Equal(before, source) {
				return Refuse("profile %s has these rules already", name)
			}
			partners, err := partnersOf(tx, p)
			if err != nil {
				return err
			}
			entry.Before, entry.After = string(before), map[string]any{"profile": string(source), "partners": partners}
			return tx.PutProfile(name, source)
		})
}

// RemoveProfile removes a profile that was added, and that nobody has.
func (s *Session) RemoveProfile(ctx context.Context, name string) error {
	entry := Entry{Action: ActionProfileRemove, Subject: "profile/" + name}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		before, err := addedProfile(tx, name)
		if err != nil {
			return err
		}
		entry.Before = string(before)
		partners, err := tx.PartnersLike(PartnerQuery{Page: Page{Limit: 1}, Profile: name})
		if err != nil {
			return err
		}
		if len(partners) > 0 {
			return Refuse("profile %s is that of partner %s", name, partners[0].ID)
		}
		pairs, err := tx.KeyPairs(KeyPairQuery{Page: Page{Limit: 1}, Profile: name})
		if err != nil {
			return err
		}
		if len(pairs) > 0 {
			return Refuse("profile %s is that of key pair %s", name, pairs[0].ID)
		}
		return tx.DeleteProfile(name)
	})
}

// addedProfile returns the text of a profile that was added.
func addedProfile(tx Reader, name string) ([]byte, error) {
	source, err := tx.Profile(name)
	switch {
	case err != nil:
		return nil, err
	case len(source) > 0:
		return source, nil
	case slices.Contains(profile.Names(), name):
		return nil, Refuse("profile %s is an embedded one: it changes with the program", name)
	}
	return nil, fmt.Errorf("profile %q is not known: %w", name, ErrNotFound)
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
