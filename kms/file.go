package kms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyfile"
)

// openFile opens "file:PATH" or "PATH".
func openFile(_ context.Context, uri string, o Options) (*Key, error) {
	path := uri
	if scheme, rest, found := strings.Cut(uri, ":"); found && strings.EqualFold(scheme, "file") {
		path = rest
	}
	if err := readlimit.CheckName(path); err != nil {
		return nil, err
	}
	if err := checkMode(path, o.Warn); err != nil {
		return nil, err
	}
	data, err := readlimit.File(path, keyfile.MaxSize)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	private, info, err := keyfile.ParsePrivateAsk(data, o.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Key{Private: private, KeyID: info.KeyID, Certificates: info.Certificates}, nil
}

// ErrWritable is wrapped by the error for a file that others than its owner can write:
// they could replace the key.
var ErrWritable = errors.New("others than its owner can write it")

// checkMode refuses a file that others can write, and warns of one that they can read.
// Windows has no such modes.
func checkMode(path string, warn func(string)) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return fmt.Errorf("%s: %w (mode %04o): chmod go-w it, and make a new key if it may have been replaced",
			path, ErrWritable, mode)
	case mode&0o044 != 0:
		if warn == nil {
			warn = func(text string) { slog.Warn(text) }
		}
		warn(
			fmt.Sprintf(
				"private key %s: others than its owner can read it (mode %04o); chmod go-r it where you can",
				path,
				mode,
			),
		)
	}
	return nil
}
