//go:build unix

package secretfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealane/sealane/internal/secretfile"
)

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("a secret of 22 bytes..\n")[:22], 0o600),
			os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, link, pipe := file("own", 0o600), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Symlink("own", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{own, link, file("read only", 0o400)} {
		if got, err := secretfile.Read(path, 22); err != nil || string(got) != "a secret of 22 bytes.." {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for _, c := range []struct {
		path  string
		limit int
		is    error
		says  string
	}{
		{own, 21, nil, "larger than 21 bytes"},
		{file("group", 0o640), 22, secretfile.ErrExposed, "chmod 600"},
		{file("others write", 0o602), 22, secretfile.ErrExposed, "(-rw-----w-)"},
		{pipe, 22, nil, "not a regular file"},
		{"/dev/null", 22, nil, "not a regular file"},
		{dir, 22, nil, "not a regular file"},
		{filepath.Join(dir, "none"), 22, fs.ErrNotExist, "no such file"},
		{"", 22, fs.ErrNotExist, "no such file"},
	} {
		got, err := secretfile.Read(c.path, c.limit)
		if err == nil || len(got) > 0 || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(),
			c.says) || strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "a secret") {
			t.Errorf("%s: %q, %v", c.path, got, err)
		}
	}
}
