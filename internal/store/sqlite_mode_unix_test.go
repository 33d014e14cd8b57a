//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
