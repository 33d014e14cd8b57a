// Package newfile writes files that must not exist yet. Nothing is ever overwritten,
// and a file that is there in the end is whole and on the disk.
package newfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Write writes data into a new file and its name into the folder, and waits until
// both are on the disk. The permissions are perm, as for [os.OpenFile]. Where the
// file exists, the error is [fs.ErrExist]. A file that can't be written whole is
// removed.
func Write(name string, data []byte, perm fs.FileMode) error {
	return WriteFrom(name, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFrom is like [Write] for content that write produces piece by piece.
func WriteFrom(name string, perm fs.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) {
		return existsError(name)
	}
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = SyncFolder(filepath.Dir(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// Check returns an error where a file exists, for callers that work before they
// write. A link counts, wherever it leads.
func Check(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return existsError(name)
	}
	return nil
}

func existsError(name string) error {
	return fmt.Errorf("%s: %w; nothing is overwritten: choose another name", name, fs.ErrExist)
}

// SyncFolder waits until the names of a folder's files are on the disk. Systems and
// file systems that don't sync folders need no such call; there it does nothing.
func SyncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	if err = folder.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}
