//go:build linux

package sharedlib

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystem: a library that every Linux system has is found, and others are reported as missing.
func TestSystem(t *testing.T) {
	path, err := System("libc.so.6")
	if err != nil || !filepath.IsAbs(path) {
		t.Errorf("libc: %q, %v", path, err)
	}
	if path, err := System("libsealane-missing.so.1"); path != "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing library: %q, %v", path, err)
	}
}

// TestNamed: a file of the user's own is accepted, also below a sticky folder, and a file that others
// can replace is not.
func TestNamed(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "l.so")
	must(t, os.WriteFile(path, []byte("x"), 0o644))
	want, err := filepath.EvalSymlinks(path)
	must(t, err)
	if got, err := Named(path); got != want || err != nil {
		t.Errorf("own file: %q, %v", got, err)
	}
	must(t, os.Chmod(folder, 0o777|fs.ModeSticky))
	if got, err := Named(path); got != want || err != nil {
		t.Errorf("own file in a sticky folder: %q, %v", got, err)
	}
	must(t, os.Chmod(folder, 0o777))
	if got, err := Named(path); got != "" || err == nil || !strings.Contains(err.Error(), "users other") {
		t.Errorf("in a folder where all can write: %q, %v", got, err)
	}
	if os.Geteuid() == 0 {
		must(t, os.Chmod(folder, 0o755))
		must(t, os.Chown(path, 65534, 0))
		if got, err := Named(path); got != "" || err == nil || !strings.Contains(err.Error(), "not owned") {
			t.Errorf("a stranger's file: %q, %v", got, err)
		}
	}
}
