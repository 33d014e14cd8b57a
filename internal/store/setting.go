package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

var settingTable = &table[registry.Setting]{
	name:    "setting",
	row:     func(s *registry.Setting) string { return fmt.Sprintf("setting %q", s.Name) },
	key:     []column[registry.Setting]{text("name", func(s *registry.Setting) *string { return &s.Name })},
	columns: []column[registry.Setting]{blob("value", func(s *registry.Setting) *[]byte { return &s.Value })},
}

// profilePrefix is the prefix of the names of settings that are profiles.
const profilePrefix = "profile/"

func (t *tx) Profile(name string) ([]byte, error) { return t.Setting(profilePrefix + name) }

func (t *tx) PutProfile(name string, source []byte) error {
	return t.PutSetting(profilePrefix+name, source)
}

func (t *tx) Setting(name string) ([]byte, error) {
	s, err := find(t, settingTable, registry.Setting{Name: name})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	return s.Value, err
}

func (t *tx) PutSetting(name string, value []byte) error {
	s := registry.Setting{Name: name, Value: value}
	done, err := update(t, settingTable, &s)
	if err == nil && !done {
		_, err = insert(t, settingTable, &s)
	}
	return err
}

// settingRow returns a setting as the registry's type: it may be the source of a profile.
func settingRow(s registry.Setting) any {
	if name, is := strings.CutPrefix(s.Name, profilePrefix); is {
		return registry.ProfileSource{Name: name, Source: s.Value}
	}
	return s
}
