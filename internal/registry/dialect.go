package registry

import (
	"bytes"
	"context"
	"errors"
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

// AddProfile adds a dialect, or replaces one that was added, and gives its name.
func (d *Desk) AddProfile(ctx context.Context, source []byte, reason string) (name string, err error) {
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
	same := errors.New("it is there as it is")
	err = d.Change(ctx, Entry{Action: "profile.add", Subject: "profile/" + p.Name, Reason: reason}, func(tx Tx, e *Entry) error {
		before, err := tx.Setting(settingProfile + p.Name)
		if err != nil {
			return err
		}
		if bytes.Equal(before, source) {
			return same
		}
		e.Before, e.After = string(before), string(source)
		return tx.PutSetting(settingProfile+p.Name, source)
	})
	if errors.Is(err, same) {
		err = nil
	}
	return p.Name, err
}
