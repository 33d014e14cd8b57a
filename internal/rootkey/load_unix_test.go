//go:build unix

package rootkey_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealane/sealane/internal/rootkey"
)

func TestPermissions(t *testing.T) {
	path := write(t, secret())
	for mode := os.FileMode(0o400); mode <= 0o777; mode++ {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if mode&0o400 == 0 {
			continue // nor may its owner
		}
		k, err := rootkey.Load(t.Context(), "file:"+path)
		if private := mode&0o077 == 0; private != (err == nil) || private != (k != nil) || !private &&
			!strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%v: %v", mode, err)
		}
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rootkey.Load(t.Context(), "file:"+pipe); err == nil || !strings.Contains(err.Error(),
		"not a regular file") {
		t.Error(err)
	}
}

// TestUmask: a wide umask does not make the file wider.
func TestUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "root.key")
	if _, err := rootkey.Create(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}
