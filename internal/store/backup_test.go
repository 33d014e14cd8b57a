package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Each backup is restored into both databases; the copy's backup has the same bytes.
func TestBackupsMoveBetweenDatabases(t *testing.T) {
	for _, from := range databases {
		for _, to := range databases {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				t.Parallel()
				source, target := from.address(t), to.address(t)
				s := open(t, source)
				update(t, s, beforeChange)
				update(t, s, everyChange)
				folder := t.TempDir()
				first, second := filepath.Join(folder, "first"), filepath.Join(folder, "second")
				if err := s.Backup(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the backup has mode %v, %v", info.Mode(), err)
				}
				sum, err := store.Restore(t.Context(), target, first, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if sum.Version != store.Latest() || sum.Rows != 18 {
					t.Errorf("restored %+v", sum)
				}
				if err := open(t, target).Backup(t.Context(), second); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(read(t, first), read(t, second)) {
					t.Error("the copy's backup is another")
				}
			})
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBackupOverwritesNothing(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		path := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
			t.Errorf("the error is %v", err)
		}
		if string(read(t, path)) != "precious" {
			t.Error("the file was overwritten")
		}
	})
}

// Rows whose unique columns have no value, and so are NULL, are restored without one.
func TestBackupKeepsNull(t *testing.T) {
	for _, from := range databases {
		onBoth(t, func(t *testing.T, address string) {
			s := open(t, from.address(t))
			update(t, s, func(tx registry.Tx) error {
				eve, ada := person("eve"), person("ada")
				eve.SHA256, ada.SHA256 = nil, nil
				return all(agreement(tx, "acme", "PROD"), tx.PutPerson(&eve), tx.PutPerson(&ada),
					tx.PutSetting("empty", nil))
			})
			path := filepath.Join(t.TempDir(), "backup")
			if err := s.Backup(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Restore(t.Context(), address, path, store.Options{}); err != nil {
				t.Fatalf("from %s: %v", from.name, err)
			}
			view(t, open(t, address), func(tx registry.Reader) error {
				got, err := tx.Person("eve")
				if got.SHA256 != nil {
					t.Errorf("from %s: a hash of %d bytes came back", from.name, len(got.SHA256))
				}
				_, missing := tx.PersonBySHA256(nil)
				if !errors.Is(missing, registry.ErrNotFound) {
					t.Errorf("from %s: a person without a hash was found by none: %v", from.name, missing)
				}
				return err
			})
		})
	}
}

func TestRestoreOnlyIntoAnEmptyDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, beforeChange)
		path := filepath.Join(t.TempDir(), "backup")
		if err := s.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		_, err := store.Restore(t.Context(), address, path, store.Options{})
		if err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("the error is %v", err)
		}
	})
}

// If any byte or line of a backup is changed, nothing is restored.
func TestDamagedBackupsAreRefused(t *testing.T) {
	source := open(t, databases[0].address(t))
	update(t, source, beforeChange)
	folder := t.TempDir()
	good := filepath.Join(folder, "good")
	if err := source.Backup(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	whole := read(t, good)
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	damaged := map[string][]byte{
		"empty":            {},
		"more at the end":  append(bytes.Clone(whole), "[1]\n"...),
		"no backup":        []byte("{\"version\":1}\n"),
		"two lines turned": bytes.Join([][]byte{lines[0], lines[2], lines[1], bytes.Join(lines[3:], nil)}, nil),
	}
	for i := range lines[:len(lines)-1] {
		without := slices.Concat(lines[:i], lines[i+1:])
		damaged[fmt.Sprintf("without line %d", i+1)] = bytes.Join(without, nil)
	}
	for at := 0; at < len(whole)-1; at += 7 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1
		damaged[fmt.Sprintf("byte %d flipped", at)] = flipped
		damaged[fmt.Sprintf("cut at %d", at)] = whole[:at]
	}
	target := "sqlite:" + filepath.Join(folder, "target.db")
	path := filepath.Join(folder, "damaged")
	for name, content := range damaged {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), target, path, store.Options{}); err == nil {
			t.Errorf("%s: it was restored", name)
		}
	}
	view(t, open(t, target), func(tx registry.Reader) error {
		got, err := tx.Partners(registry.Page{})
		if len(got) != 0 {
			t.Errorf("partners %v are there", got)
		}
		return err
	})
}

// A backup with a correct checksum that the database cannot store leaves nothing.
func TestForgedBackupsLeaveNothing(t *testing.T) {
	start := `{"backup":"sealane registry","version":1}` + "\n"
	table := func(name, columns, order string) string {
		return `{"table":"` + name + `","columns":[` + columns + `],"order":"` + order + `"}` + "\n"
	}
	acme := `["acme","a","b","client",1,"{}"]` + "\n"
	partners := table("partner", `"id","name","profile","side","version","body"`, "id") + acme
	environments := table("environment", `"partner","name","sealing","caller","accept_rsa_oaep","max_payload",`+
		`"version","body"`, "partner, name")
	settings := table("setting", `"name","value:bytes"`, "name")
	for name, c := range map[string]struct{ content, says string }{
		"newer":            {`{"backup":"sealane registry","version":9042}` + "\n", "9042"},
		"no such table":    {start + partners + table("schema_version", `"id"`, "id") + "[1]\n", "no table"},
		"no such column":   {start + partners + table("person", `"nickname"`, "nickname") + "[1]\n", "nickname"},
		"not a plain name": {start + table("partner; DROP TABLE partner", `"id"`, "id"), "a name that is none"},
		"no columns":       {start + table("partner", "", "id") + "[]\n", "no columns"},
		"row of no table":  {start + "[]\n", "before the first table"},
		"too many values":  {start + partners + "[1,2,3,4]\n", "as many values"},
		"not bytes":        {start + partners + settings + `["a","!"]` + "\n", "value 2"},
		"no partner":       {start + environments + `["a","b","","","",0,1,""]` + "\n", "belongs to"},
		"twice":            {start + partners + acme, "already"},
		"out of order":     {start + partners + `["aaa","a","b","client",1,"{}"]` + "\n", "not what the backup has"},
	} {
		onBoth(t, func(t *testing.T, address string) {
			path := filepath.Join(t.TempDir(), "backup")
			rows := strings.Count(c.content, "\n[")
			end := fmt.Sprintf("{\"rows\":%d,\"sha256\":\"%x\"}\n", rows, sum(c.content))
			if err := os.WriteFile(path, []byte(c.content+end), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Restore(t.Context(), address, path, store.Options{})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
			view(t, open(t, address), func(tx registry.Reader) error {
				got, err := tx.Partners(registry.Page{})
				if len(got) != 0 {
					t.Errorf("%s: partners %v are there", name, got)
				}
				return err
			})
		})
	}
}

// SQLite can hold a text where bytes belong. A backup has the bytes, so that it can be restored.
func TestBackupOfATextInPlaceOfBytes(t *testing.T) {
	source := databases[0].address(t)
	s := open(t, source)
	blocked := registry.Blocked{SPKISHA256: sum("blocked"), By: "anna"}
	update(t, s, func(tx registry.Tx) error { return tx.PutBlocked(blocked) })
	const edit = "UPDATE blocked SET spki_sha256 = CAST(spki_sha256 AS TEXT)"
	if _, err := raw(t, source).ExecContext(t.Context(), edit); err != nil {
		t.Fatal(err)
	}
	path, target := filepath.Join(t.TempDir(), "backup"), databases[0].address(t)
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), target, path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	view(t, open(t, target), func(tx registry.Reader) error {
		got, err := tx.Blocked(blocked.SPKISHA256)
		if err == nil && got.By != "anna" {
			t.Errorf("%+v", got)
		}
		return err
	})
}
