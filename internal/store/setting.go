package store

import (
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

type setting struct {
	name  string
	value []byte
}

var settingTable = &table[setting]{
	name:    "setting",
	row:     func(s *setting) string { return fmt.Sprintf("setting %q", s.name) },
	key:     []column[setting]{text("name", func(s *setting) *string { return &s.name })},
	columns: []column[setting]{blob("value", func(s *setting) *[]byte { return &s.value })},
}

// profilePrefix begins the names of settings that are profiles.
const profilePrefix = "profile/"

func (t *tx) Profile(name string) ([]byte, error) { return t.Setting(profilePrefix + name) }

func (t *tx) PutProfile(name string, source []byte) error {
	return t.PutSetting(profilePrefix+name, source)
}

func (t *tx) Setting(name string) ([]byte, error) {
	s, err := find(t, settingTable, setting{name: name})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	return s.value, err
}

func (t *tx) PutSetting(name string, value []byte) error {
	s := setting{name, value}
	done, err := update(t, settingTable, &s)
	if err == nil && !done {
		_, err = insert(t, settingTable, &s)
	}
	return err
}
