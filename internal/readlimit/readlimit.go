// Package readlimit reads files and streams up to a limit.
package readlimit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// TooLargeError reports that there is more to read than the limit allows.
type TooLargeError struct {
	Limit int // bytes
}

func (e *TooLargeError) Error() string { return fmt.Sprintf("it is larger than %d bytes", e.Limit) }

// All reads r to its end. After more than limit bytes it returns a [TooLargeError] and no
// data.
func All(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = &TooLargeError{limit}
	}
	if err != nil {
		clear(data) // it may be a secret
		return nil, err
	}
	return data, nil
}

// ErrContent means that the content of a file was given in place of its name. The error does not repeat it.
var ErrContent = errors.New("this is not the name of a file, but text as files have it: give the name")

// CheckName returns [ErrContent] for a text of several lines, in PEM, in JSON, of DER in base64, or with a part that
// no file system takes for a name. An error of the system would repeat it, and it may be a private key.
func CheckName(path string) error {
	path = strings.TrimPrefix(path, "file:")
	switch {
	case strings.ContainsAny(path, "\r\n\x00"), strings.Contains(path, "-----BEGIN "),
		strings.HasPrefix(strings.TrimSpace(path), "{"), strings.HasPrefix(path, "MII") && len(path) > 100,
		slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return len(part) > maxName }):
		return ErrContent
	}
	return nil
}

// maxName is how many bytes a name in a folder has at most, on all systems.
const maxName = 255

// File reads a file as [All] does. The error names the file.
func File(path string, limit int) ([]byte, error) {
	if err := CheckName(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := All(f, limit)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}
