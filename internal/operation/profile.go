package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// ProfileText is the text of a profile.
type ProfileText struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

// ProfileName names a profile.
type ProfileName struct {
	Name string `json:"name"`
}

// ProfileFacts are one line of the list of profiles.
type ProfileFacts struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Client   string `json:"client,omitempty"` // what the side that calls is
	Server   string `json:"server,omitempty"`
	Embedded bool   `json:"embedded"`          // in the program, and not in the registry
	Damaged  string `json:"damaged,omitempty"` // why its text can't be read
}

// Operations on the profiles of a registry.
var (
	// AddProfile adds a profile to the registry.
	AddProfile = changing("AddProfile", registry.ActionProfileAdd,
		func(ctx context.Context, s *Session, in ProfileText) (ProfileName, error) {
			name, err := s.Session.AddProfile(ctx, []byte(in.Source))
			return ProfileName{name}, err
		})

	// ChangeProfile changes the rules of a profile, for all partners who have it.
	ChangeProfile = changing("ChangeProfile", registry.ActionProfileChange,
		func(ctx context.Context, s *Session, in ProfileText) (ProfileName, error) {
			return ProfileName{in.Name}, s.Session.ChangeProfile(ctx, in.Name, []byte(in.Source))
		})

	// RemoveProfile removes a profile that no partner and no key pair has.
	RemoveProfile = changing("RemoveProfile", registry.ActionProfileRemove,
		func(ctx context.Context, s *Session, in ProfileName) (ProfileName, error) {
			return in, s.Session.RemoveProfile(ctx, in.Name)
		})

	// ListProfiles lists the embedded profiles, and those of the registry.
	ListProfiles = reading("ListProfiles",
		func(ctx context.Context, v *registry.Viewer, _ None) (all []ProfileFacts, err error) {
			all = EmbeddedProfiles()
			err = v.View(ctx, func(tx registry.Reader) error {
				added, damaged, err := registry.Readable(tx.Profiles())
				for _, row := range damaged {
					all = append(all, ProfileFacts{Name: strings.TrimPrefix(row.ID, "profile/"), Damaged: row.Error()})
				}
				for _, one := range added {
					all = append(all, profileFacts(one.Name, one.Source, false))
				}
				return err
			})
			return all, err
		})

	// ShowProfile returns the text of a profile.
	ShowProfile = reading("ShowProfile",
		func(ctx context.Context, v *registry.Viewer, in ProfileName) (out ProfileText, err error) {
			if slices.Contains(profile.Names(), in.Name) {
				return EmbeddedProfile(in.Name)
			}
			err = v.View(ctx, func(tx registry.Reader) error {
				source, err := tx.Profile(in.Name)
				if err == nil && len(source) == 0 {
					err = fmt.Errorf("profile %q: %w", in.Name, ErrNotFound)
				}
				out = ProfileText{in.Name, string(source)}
				return err
			})
			return out, err
		})
)

// EmbeddedProfiles are those that the program has, with or without a registry.
func EmbeddedProfiles() (all []ProfileFacts) {
	for _, name := range profile.Names() {
		source, err := profile.Source(name)
		if err != nil {
			all = append(all, ProfileFacts{Name: name, Embedded: true, Damaged: err.Error()})
			continue
		}
		all = append(all, profileFacts(name, source, true))
	}
	return all
}

// EmbeddedProfile returns the text of one of them.
func EmbeddedProfile(name string) (ProfileText, error) {
	source, err := profile.Source(name)
	return ProfileText{name, string(source)}, err
}

func profileFacts(name string, source []byte, embedded bool) ProfileFacts {
	f := ProfileFacts{Name: name, Embedded: embedded}
	p, err := profile.Parse(source)
	if err != nil {
		f.Damaged = err.Error()
		return f
	}
	f.Title, f.Client, f.Server = p.Title, p.Parties.Client, p.Parties.Server
	return f
}
