package lanes

import (
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
	return profile.Parse(source)
}

func compiled(p *profile.Profile, err error) loadedProfile {
	if err != nil {
		return loadedProfile{err: err}
	}
	c, err := p.Compile()
	return loadedProfile{c, err}
}
