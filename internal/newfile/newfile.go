// Package newfile writes files that must not exist yet. It never overwrites a file, and
// leaves only files that are complete and on the disk.
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

// Write writes data to a new file and its name to the folder, and waits until both are on
// the disk. The permissions are perm, as for [os.OpenFile]. If the file exists, the error
// is [fs.ErrExist]. A file that cannot be written completely is removed.
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

// Rename changes the name of a file that is on the disk, and waits until that is on the disk too. If
// the new name exists, the error is [fs.ErrExist]. After an error the file has its old name, or both.
func Rename(from, to string) error {
	err := os.Link(from, to) // it replaces nothing, as opposed to a rename
	switch {
	case errors.Is(err, fs.ErrExist):
		return existsError(to)
	case err == nil:
		err = os.Remove(from)
	default: // the file system may have no links
		if err = Check(to); err == nil {
			err = os.Rename(from, to)
		}
	}
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// Check returns an error if a file exists, for callers that work before they write. It does
// not follow links.
func Check(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return existsError(name)
	}
	return nil
}

func existsError(name string) error {
	return fmt.Errorf("%s: %w; nothing is overwritten: choose another name", name, fs.ErrExist)
}

// SyncFolder waits until the names of a folder's files are on the disk. It does nothing on
// systems and file systems that do not need it.
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
