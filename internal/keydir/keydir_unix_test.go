//go:build unix

package keydir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/keydir"
)

// TestLinkedFolder: the private key does not follow a link to the folder that is sent.
func TestLinkedFolder(t *testing.T) {
	s := spec(t)
	sent := filepath.Join(s.Folder, keydir.SendFolder)
	if err := os.MkdirAll(sent, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(keydir.SendFolder, filepath.Join(s.Folder, "private")); err != nil {
		t.Fatal(err)
	}
	if _, err := keydir.Create(s); err == nil || !strings.Contains(err.Error(), "not a real folder") {
		t.Errorf("error %v", err)
	}
	if files, err := os.ReadDir(sent); err != nil || len(files) > 0 {
		t.Errorf("%v %v", files, err)
	}
}

// TestPermissions: the private key and its folder are their owner's only, even if the
// folder existed with other permissions.
func TestPermissions(t *testing.T) {
	s := spec(t)
	private := filepath.Dir(s.KeyFile())
	if err := os.MkdirAll(private, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := keydir.Create(s); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{private: 0o700, s.KeyFile(): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}
