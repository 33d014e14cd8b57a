package lanes

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/profile"
)

// LoadProfile returns a profile by its name: an embedded one, or one that was added to the
// registry, whose source added returns. The error is [ErrNotFound] if the source is empty.
func LoadProfile(name string, added func(name string) ([]byte, error)) (*profile.Profile, error) {
	if slices.Contains(profile.Names(), name) {
		return profile.Load(name)
	}
	source, err := added(name)
	switch {
	case err != nil:
		return nil, err
	case len(source) == 0:
		return nil, fmt.Errorf("profile %q: %w; there are %s, and those that are added from a file",
			name, ErrNotFound, strings.Join(profile.Names(), " or "))
	}
	p, err := profile.Parse(source)
	if err != nil {
		return nil, &DamagedRow{
			Row: fmt.Sprintf("profile %q", name), Table: "setting", ID: "profile/" + name, Why: err.Error(),
		}
	}
	return p, nil
}

// loadedProfile is a profile, or the reason why it cannot be read. Then only its own lanes
// fail.
type loadedProfile struct {
	source   []byte // nil for an embedded one
	compiled *profile.Compiled
	err      error
}

// loadSource returns a profile. An error is the database's.
func loadSource(name string, added func(name string) ([]byte, error)) (*loadedProfile, error) {
	loaded := &loadedProfile{}
	var failed error
	p, err := LoadProfile(name, func(name string) ([]byte, error) {
		loaded.source, failed = added(name)
		return loaded.source, failed
	})
	if failed != nil {
		if _, damaged := failed.(*DamagedRow); !damaged {
			return nil, failed
		}
	}
	if loaded.err = err; err == nil {
		loaded.compiled, loaded.err = p.Compile()
	}
	return loaded, nil
}

// same reports whether a profile is the same as this one, which may be nil.
func (l *loadedProfile) same(other *loadedProfile) bool {
	return l != nil && bytes.Equal(l.source, other.source) && errorText(l.err) == errorText(other.err)
}

// errorText returns the text of an error, or "".
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
