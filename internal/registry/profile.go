package registry

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/profile"
)

// settingProfile and a name: a dialect of the house's own, as it was given.
const settingProfile = "profile/"

// LoadProfile gives a dialect by its name: an embedded one, or one that was added.
// It stands in the registry, so that nobody changes its rules without a record.
func LoadProfile(tx Tx, name string) (*profile.Profile, error) {
	if slices.Contains(profile.Names(), name) {
		return profile.Load(name)
	}
	source, err := tx.Setting(settingProfile + name)
	switch {
	case err != nil:
		return nil, err
	case len(source) == 0:
		return nil, fmt.Errorf("profile %q: %w; there are %s, and those that are added from a file", name, ErrNotFound, words(profile.Names()))
	}
	return profile.Parse(source)
}

// AddProfile adds a dialect, or changes one that was added, and gives its name. A change
// is for all partners who speak it, so that it takes an administrator, and a reason.
func (s *Session) AddProfile(ctx context.Context, source []byte, reason string) (name string, err error) {
	p, err := profile.Parse(source)
	if err != nil {
		return "", err
	}
	if err := checkName("profile", p.Name); err != nil {
		return "", err
	}
	if slices.Contains(profile.Names(), p.Name) {
		return "", fmt.Errorf("profile %s is an embedded one: give yours another name", p.Name)
	}
	if err := s.May("profile.add"); err != nil {
		return "", err
	}
	var before []byte
	err = s.Store.View(ctx, func(tx Tx) (err error) {
		before, err = tx.Setting(settingProfile + p.Name)
		return err
	})
	if err != nil || bytes.Equal(before, source) {
		return p.Name, err
	}
	action := "profile.add"
	if len(before) > 0 {
		action = "profile.change"
	}
	return p.Name, s.Change(ctx, Entry{Action: action, Subject: "profile/" + p.Name, Reason: reason}, func(tx Tx, entry *Entry) error {
		now, err := tx.Setting(settingProfile + p.Name)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, before) {
			return ErrConflict
		}
		partners, err := speakers(tx, p)
		if err != nil {
			return err
		}
		entry.Before, entry.After = string(before), map[string]any{"profile": string(source), "partners": partners}
		return tx.PutSetting(settingProfile+p.Name, source)
	})
}

// speakers counts the partners whose rules a dialect is, and refuses one that lacks an
// environment of theirs.
func speakers(tx Tx, p *profile.Profile) (count int, err error) {
	speak := map[string]bool{}
	err = tx.Lanes(LaneRows{
		Partner: func(one Partner) error {
			if one.Profile == p.Name {
				speak[one.ID] = true
			}
			return nil
		},
		Environment: func(e Environment) error {
			if speak[e.Partner] && len(p.Environments) > 0 && !slices.Contains(p.Environments, e.Name) {
				return fmt.Errorf("profile %s lacks environment %s, which partner %s has", p.Name, e.Name, e.Partner)
			}
			return nil
		},
	})
	return len(speak), err
}

func (r *Registry) loadProfile(ctx context.Context, name string) (p *profile.Profile, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		p, err = LoadProfile(tx, name)
		return err
	})
	return p, err
}
