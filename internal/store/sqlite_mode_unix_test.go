//go:build unix

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// A file that everybody can change or replace is no registry.
func TestFilesThatEverybodyCanChange(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "open")
	path := filepath.Join(folder, "registry.db")
	try := func(folderMode, mode os.FileMode) error {
		t.Helper()
		for name, mode := range map[string]os.FileMode{folder: folderMode, path: mode} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, file os.FileMode
		says         string
	}{
		{0o700, 0o600, ""}, {0o755, 0o660, ""}, {0o777 | os.ModeSticky, 0o600, ""},
		{0o700, 0o666, "everybody can change it"}, {0o700, 0o602, "everybody can change it"},
		{0o777, 0o600, "everybody can replace it"},
	} {
		err := try(c.folder, c.file)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("folder %v, file %v: %v", c.folder, c.file, err)
		}
	}
}

// A file that nobody may change is read, such as an auditor's copy, and takes no change. Changes that
// are still in the file next to it are not lost unsaid.
func TestReadOnlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(s *store.Store, id string) error {
		return s.Update(t.Context(), func(tx registry.Tx) error {
			return tx.PutPartner(&registry.Partner{ID: id, Name: id, Profile: "rdx", Side: sealane.ClientSide})
		})
	}
	if err := errors.Join(put(s, "acme"), s.Close(), os.Chmod(path, 0o400)); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx registry.Reader) error {
		_, err := tx.Partner("acme")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := put(s, "beta"); err == nil || !errors.Is(err, registry.ErrStore) ||
		!strings.Contains(err.Error(), "read-only") {
		t.Errorf("a change: %v", err)
	}
	if err := errors.Join(s.Close(), os.WriteFile(path+"-wal", []byte("changes"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path, store.Options{}); err == nil || !strings.Contains(err.Error(), "-wal") {
		t.Errorf("with changes next to it: %v", err)
	}
}
