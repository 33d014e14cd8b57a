//go:build unix

package newfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/newfile"
)

// TestLink: a link that leads nowhere is not followed.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "absent"), name); err != nil {
		t.Fatal(err)
	}
	if err := newfile.Write(name, nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("write: %v", err)
	}
	if err := newfile.Check(name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("check: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what it leads to: %v", err)
	}
}
