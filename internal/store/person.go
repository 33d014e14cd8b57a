package store

import (
	"encoding/json"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

const selectPerson = "SELECT id, sha256, version, body FROM person"

func readPerson(row scan) (p registry.Person, err error) {
	var id, rest string
	var sum []byte
	var version int64
	if err = row(&id, bytesInto{&sum}, &version, &rest); err == nil {
		err = json.Unmarshal([]byte(rest), &p)
	}
	p.ID, p.SHA256, p.Version = id, sum, version
	return p, err
}

func (t *tx) Person(id string) (registry.Person, error) {
	return one(t, fmt.Sprintf("person %q", id), readPerson, selectPerson+" WHERE id = ?", id)
}

func (t *tx) PersonBySHA256(sum []byte) (registry.Person, error) {
	return one(t, "person", readPerson, selectPerson+" WHERE sha256 = ?", blob(sum))
}

func (t *tx) People() ([]registry.Person, error) {
	return list(t, "people", readPerson, selectPerson+" ORDER BY id")
}

func (t *tx) PutPerson(p *registry.Person) error {
	what := fmt.Sprintf("person %q", p.ID)
	rest := *p
	rest.ID = ""
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	if err := t.free(what, "SELECT id FROM person WHERE sha256 = ? AND id <> ?", p.SHA256, p.ID); err != nil {
		return err
	}
	if p.Version == 0 {
		n, err := t.exec(what, "INSERT INTO person (id, sha256, version, body) VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING",
			p.ID, nullBytes(p.SHA256), text)
		err = inserted(what, n, err)
		return counted(&p.Version, err)
	}
	n, err := t.exec(what, "UPDATE person SET sha256 = ?, version = version + 1, body = ? WHERE id = ? AND version = ?",
		nullBytes(p.SHA256), text, p.ID, p.Version)
	err = updated(what, n, err)
	return counted(&p.Version, err)
}

func (t *tx) Blocked(spkiSHA256 []byte) (registry.Blocked, error) {
	read := func(row scan) (b registry.Blocked, err error) {
		var rest string
		if err = row(&rest); err == nil {
			err = json.Unmarshal([]byte(rest), &b)
		}
		b.SPKISHA256 = spkiSHA256
		return b, err
	}
	return one(t, fmt.Sprintf("blocked key %x", spkiSHA256), read, "SELECT body FROM blocked WHERE spki_sha256 = ?", blob(spkiSHA256))
}

func (t *tx) PutBlocked(b registry.Blocked) error {
	sum := blob(b.SPKISHA256)
	what := fmt.Sprintf("blocked key %x", sum)
	b.SPKISHA256 = nil
	text, err := body(what, b)
	if err != nil {
		return err
	}
	_, err = t.exec(what, "INSERT INTO blocked (spki_sha256, body) VALUES (?, ?) ON CONFLICT DO NOTHING", sum, text)
	return err
}

func (t *tx) Setting(name string) ([]byte, error) {
	read := func(row scan) (value []byte, err error) {
		err = row(bytesInto{&value})
		return value, err
	}
	found, err := list(t, fmt.Sprintf("setting %q", name), read, "SELECT value FROM setting WHERE name = ?", name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (t *tx) PutSetting(name string, value []byte) error {
	_, err := t.exec(fmt.Sprintf("setting %q", name),
		"INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, blob(value))
	return err
}
