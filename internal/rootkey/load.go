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
)

// ErrPassphraseNeeded: the key comes from a passphrase, which [Load] does not ask for.
var ErrPassphraseNeeded = errors.New("the root key comes from a passphrase")

const maxKeyFile = 4 << 10

// Load gives the root key that spec names:
//
//   - file:PATH is a file with the 32 bytes themselves, or in base64 or
//     hexadecimal, with or without a line end. It must be a regular file that its
//     group and others can't read; on Windows, that is for its owner to see to.
//   - env:NAME is an environment variable with the key in base64 or hexadecimal.
//   - passphrase: gives ErrPassphraseNeeded: ask for it, and call [FromPassphrase]
//     with the stored parameters, or [NewPassphrase] where there are none yet.
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
			return nil, fmt.Errorf("root key env:%s: the variable is not set, or empty", name)
		}
		return loaded("env:"+name, text, false)
	}
	// What was given may be a key, by mistake.
	return nil, errors.New("root key: one of file:PATH, env:NAME and passphrase: is wanted")
}

func loadFile(path string) (*Key, error) {
	where := "file:" + path
	data, err := ReadSecret(path, maxKeyFile)
	defer clear(data)
	if errors.Is(err, ErrExposed) {
		return nil, fmt.Errorf("root key %s: %w, and if anybody may have read it, turn to a new root key", where, err)
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

// decode gives a new slice. Thirty-two printable bytes are text of half a key, not
// the bytes of one: random ones are never all printable.
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

// varied refuses what is no key at all, such as zeros or one character repeated.
func varied(secret []byte) ([]byte, error) {
	if different(secret) < minDifferent {
		clear(secret)
		return nil, errors.New("it is not random")
	}
	return secret, nil
}

// A random key has fewer different bytes less than once in 10³⁰.
const minDifferent = 8

func different(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// Create makes a root key, and a file with it in base64 for the owner alone. A file
// that is there is never overwritten: the error is fs.ErrExist then.
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
