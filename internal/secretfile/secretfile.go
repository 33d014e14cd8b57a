// Package secretfile reads and replaces files that hold a secret, such as a root key or a token.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/readlimit"
)

// ErrExposed means that others than its owner can read or change a secret's file.
var ErrExposed = errors.New("others can read or change it")

// Read returns the content of a file with a secret, which the caller overwrites. It
// must be a regular file of at most limit bytes that its group and others cannot read or
// change; on Windows the latter is not checked. The errors do not name the file.
func Read(path string, limit int) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readlimit.All(f, limit)
	if err != nil {
		return nil, bare(err)
	}
	return data, nil
}

// Open opens a file with a secret, with the demands and the errors of [Read].
func Open(path string) (file *os.File, err error) {
	if info, err := os.Stat(path); err != nil { // before it is opened, which has effects on devices
		return nil, bare(err)
	} else if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	// It may be a pipe by now: opening one waits for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat() // of the open file, whatever its name refers to by now
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("%w (%v): chmod 600 it", ErrExposed, mode)
	}
	return f, nil
}

var errNotRegular = errors.New("it is not a regular file")

// bare returns an error without the path, which callers add.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Replace writes a secret into a file that only its owner can read. A file with that name is
// replaced, completely or not at all.
func Replace(path string, data []byte) error {
	return ReplaceFrom(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// ReplaceFrom is like [Replace] for content that write produces piece by piece.
func ReplaceFrom(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return newfile.SyncFolder(filepath.Dir(path))
}
