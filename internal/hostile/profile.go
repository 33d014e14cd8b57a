package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/profile"
)

// derived is a file in profiles/: an embedded profile with a change.
type derived struct {
	Of     string         `yaml:"of"`
	Change map[string]any `yaml:"change"`
}

// LoadProfile loads the profile that a case names.
func (c *Corpus) LoadProfile(name string) (*profile.Profile, error) {
	source, err := c.profileSource(name)
	if err != nil {
		return nil, err
	}
	return profile.Parse(source)
}

// ProfileArg returns the command line argument for the profile that a case names. It writes
// a derived profile to dir.
func (c *Corpus) ProfileArg(dir, name string) (string, error) {
	if slices.Contains(profile.Names(), name) {
		return name, nil
	}
	source, err := c.profileSource(name)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name+".yaml")
	return file, os.WriteFile(file, source, 0o644)
}

func (c *Corpus) profileSource(name string) ([]byte, error) {
	if slices.Contains(profile.Names(), name) {
		return profile.Source(name)
	}
	file := filepath.Join(c.Dir, "profiles", name+".yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var d derived
	if err := yaml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	source, err := profile.Source(d.Of)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var whole map[string]any
	if err := yaml.Unmarshal(source, &whole); err != nil {
		return nil, err
	}
	return yaml.Marshal(merge(whole, d.Change))
}

// merge applies a change as RFC 7396 (JSON Merge Patch) defines: null removes, an object
// changes an object, and any other value replaces the old one.
func merge(target, change map[string]any) map[string]any {
	merged := make(map[string]any, len(target))
	for name, value := range target {
		merged[name] = value
	}
	for name, value := range change {
		inner, object := value.(map[string]any)
		switch {
		case value == nil:
			delete(merged, name)
		case object:
			was, _ := merged[name].(map[string]any)
			merged[name] = merge(was, inner)
		default:
			merged[name] = value
		}
	}
	return merged
}
