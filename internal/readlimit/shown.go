package readlimit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Shown returns the path of a file with a secret as a message may show it. Where there is no such file, the path may
// be the secret itself, given by mistake. Then only its folder is shown, unless it ends as names of files do.
func Shown(path string) string {
	if _, err := os.Lstat(path); err == nil || path == "" || fileName.MatchString(path) {
		return path
	}
	folder := filepath.Dir(path)
	for {
		info, err := os.Stat(folder)
		if err == nil && info.IsDir() {
			break
		}
		folder = filepath.Dir(folder)
	}
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute
	}
	return filepath.Join(folder, "…")
}

// fileName is a path that ends as those of files with keys and secrets do.
var fileName = regexp.MustCompile(`^[^\x00-\x1f]{1,200}\.(key|pem|cer|crt|der|p12|pfx|p8|jwk|json|txt|` +
	`pass|passphrase|password|secret|token|rootkey|ya?ml)$`)

// ShownVariable returns the name of an environment variable with a secret as a message may show it. It may be the
// secret itself, given by mistake: then it is not shown.
func ShownVariable(name string) string {
	if _, set := os.LookupEnv(name); set || variableName.MatchString(name) {
		return name
	}
	return "…"
}

var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)

// SecretFile reads a file with a secret as [File] does. The error has the path as [Shown] returns it.
func SecretFile(path string, limit int) ([]byte, error) {
	data, err := File(path, limit)
	return data, Hide(err)
}

// Hide returns an error about a file with a secret, with its path as [Shown] returns it.
func Hide(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		at.Path = Shown(at.Path)
	}
	return err
}
