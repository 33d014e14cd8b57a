package newfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sealane/sealane/internal/newfile"
)

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new")
	if err := newfile.Check(name); err != nil {
		t.Fatal(err)
	}
	if err := newfile.Write(name, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := newfile.Write(name, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	if err := newfile.Check(name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("check: %v", err)
	}
	if data, err := os.ReadFile(name); string(data) != "first" {
		t.Errorf("%q %v", data, err)
	}
}

// TestHalf: what could not be written whole does not stay.
func TestHalf(t *testing.T) {
	name := filepath.Join(t.TempDir(), "half")
	broken := errors.New("the source ended")
	err := newfile.WriteFrom(name, 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if err := newfile.Check(name); err != nil {
		t.Error(err)
	}
}

// A file gets another name, which nothing has.
func TestRename(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	for _, name := range []string{from, to} {
		if err := newfile.Write(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := newfile.Rename(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("to a name that exists: %v", err)
	}
	if data, err := os.ReadFile(to); string(data) != to {
		t.Errorf("it has %q, %v", data, err)
	}
	if err := newfile.Rename(from, to+"2"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(to + "2"); string(data) != from {
		t.Errorf("the new name has %q, %v", data, err)
	}
	if err := newfile.Check(from); err != nil {
		t.Errorf("the old name: %v", err)
	}
	if err := newfile.Rename(from, to+"3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
