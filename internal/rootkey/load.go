package rootkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretfile"
)

// ErrPassphraseNeeded means that the key is made from a passphrase, which the caller must ask for.
var ErrPassphraseNeeded = errors.New("the root key comes from a passphrase")

const maxKeyFile = 4 << 10

// Load returns the root key that spec names:
//
//   - file:PATH is a file with the 32 bytes themselves, or in base64 or
//     hexadecimal, with or without a line end. It must be a regular file that its
//     group and others can't read; on Windows this is not checked.
//   - env:NAME is an environment variable with the key in base64 or hexadecimal.
//   - passphrase: returns ErrPassphraseNeeded: ask for it, and call [FromPassphrase]
//     with the stored parameters, or [NewPassphrase] if there are none yet.
func Load(ctx context.Context, spec string) (*Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scheme, name, _ := strings.Cut(spec, ":")
	switch {
	case spec == "passphrase:":
		return nil, ErrPassphraseNeeded
	case scheme == "file" && name != "":
		return loadFile(name)
	case scheme == "env" && name != "":
		text := []byte(os.Getenv(name))
		defer clear(text)
		if len(text) == 0 {
			return nil, fmt.Errorf("root key env:%s: the variable is not set, or empty", readlimit.ShownVariable(name))
		}
		return loaded("env:"+name, text, false)
	}
	// The spec may be a key, by mistake.
	return nil, errors.New("root key: one of file:PATH, env:NAME and passphrase: is wanted")
}

func loadFile(path string) (*Key, error) {
	where := "file:" + readlimit.Shown(path)
	data, err := secretfile.Read(path, maxKeyFile)
	defer clear(data)
	if errors.Is(err, secretfile.ErrExposed) {
		return nil, fmt.Errorf("root key %s: %w, and if anybody may have read it, change to a new root key", where,
			err)
	}
	if err != nil {
		return nil, fmt.Errorf("root key %s: %w", where, err)
	}
	return loaded(where, data, true)
}

func loaded(where string, data []byte, raw bool) (*Key, error) {
	secret, err := decode(data, raw)
	defer clear(secret)
	if err != nil {
		return nil, fmt.Errorf("root key %s: %w", where, err)
	}
	k, err := derive(secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return k, nil
}

// decode returns a new slice. Thirty-two printable bytes are half a key as text, and not the
// bytes of a key: random ones are never all printable.
func decode(data []byte, raw bool) ([]byte, error) {
	if raw && len(data) == Size && bytes.ContainsFunc(data, func(c rune) bool { return c < ' ' || c > '~' }) {
		return varied(bytes.Clone(data))
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	secret := make([]byte, base64.StdEncoding.DecodedLen(len(text))+Size)
	var n int
	var err error
	switch len(text) {
	case hex.EncodedLen(Size):
		n, err = hex.Decode(secret, text)
	case base64.StdEncoding.EncodedLen(Size):
		n, err = base64.StdEncoding.Strict().Decode(secret, text)
	case base64.RawURLEncoding.EncodedLen(Size):
		n, err = base64.RawURLEncoding.Strict().Decode(secret, text)
	}
	if err != nil || n != Size {
		clear(secret)
		return nil, fmt.Errorf("it is not %d bytes in base64 or hexadecimal", Size)
	}
	return varied(secret[:n])
}

// Create makes a root key, and writes it in base64 into a new file that only its owner can read.
// The error is fs.ErrExist if the file exists.
func Create(path string) (*Key, error) {
	secret := make([]byte, Size)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails
	text := append(base64.StdEncoding.AppendEncode(nil, secret), '\n')
	defer clear(text)
	if err := newfile.Write(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("root key file:%s: %w", path, err)
	}
	return loadFile(path)
}

// Parse returns the root key of a text: base64 or hexadecimal, as a command prints it that reads it from a
// vault.
func Parse(text string) (*Key, error) {
	data := []byte(text)
	defer clear(data)
	return loaded("that was given", data, false)
}
