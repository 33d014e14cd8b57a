package rootkey

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/sealane/sealane/internal/readlimit"
)

// ErrExposed means that others than its owner can read or change a secret's file.
var ErrExposed = errors.New("others can read or change it")

// ReadSecret returns the content of a file with a secret, which the caller overwrites. It
// must be a regular file of at most limit bytes that its group and others cannot read or
// change; on Windows the latter is not checked. The errors do not name the file.
func ReadSecret(path string, limit int) ([]byte, error) {
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
	defer f.Close()
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
	data, err := readlimit.All(f, limit)
	if err != nil {
		return nil, bare(err)
	}
	return data, nil
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
