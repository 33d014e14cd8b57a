// Package rootkey seals private keys for the database. A root key comes from a file, an
// environment variable or a passphrase, and is never in the database. A sealed value names its
// root key, and opens only in the place that it was sealed for.
//
// A sealed value is, byte for byte:
//
//	version 1 | root key ID, 8 bytes | nonce, 12 bytes | AES-256-GCM ciphertext and tag, 16 bytes
//
// Its first 9 bytes and the [Context] are authenticated with it. The nonces are random, from Go's
// FIPS 140-3 module, so a root key must not seal more than 2³² times.
package rootkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Size is how long a root key is, in bytes.
const Size = 32

const (
	version  = 1
	idSize   = 8
	header   = 1 + idSize
	overhead = header + 12 + 16
)

// Errors of sealed values and check values.
var (
	// ErrOtherKey: it was sealed under another root key.
	ErrOtherKey = errors.New("another root key is needed")
	// ErrDamaged: it was changed, or belongs to another record.
	ErrDamaged = errors.New("damaged")
)

// Key is a root key of 256 random bits, or as strong as its passphrase. It holds only
// values derived from it: its ID, the key that seals, and the check value. Printing it
// prints the ID. It is safe for concurrent use.
type Key struct {
	id    [idSize]byte
	aead  cipher.AEAD
	check [sha256.Size]byte
}

// Generate makes a root key that is not stored.
func Generate() (*Key, error) {
	secret := make([]byte, Size)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails
	return derive(secret)
}

// derive does not keep the secret. Go's AES and HMAC keep copies, which can't be wiped.
func derive(secret []byte) (*Key, error) {
	k := new(Key)
	root, err := hkdf.Extract(sha256.New, secret, nil)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	defer clear(root)
	sealing := make([]byte, Size)
	defer clear(sealing)
	for label, out := range map[string][]byte{"id": k.id[:], "check": k.check[:], "seal": sealing} {
		b, err := hkdf.Expand(sha256.New, root, "sealane root key 1 "+label, len(out))
		if err != nil {
			return nil, fmt.Errorf("root key: %w", err)
		}
		copy(out, b)
		clear(b)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	if k.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	return k, nil
}

// ID returns the key's name: 16 hexadecimal digits that are derived from it. It is not secret.
func (k *Key) ID() string { return hex.EncodeToString(k.id[:]) }

// Format prints the ID, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "root key "+k.ID()) }

// Context is the place of a sealed value, which opens only there. All fields but Purpose may be
// empty.
type Context struct {
	Partner     string
	Environment string
	KeyID       string // what identifies the record, for as long as it is sealed so
	Version     int64  // counts sealings, so that an earlier one can't be put back
	Purpose     string // such as "private key"
}

// String returns a description for errors.
func (c Context) String() string {
	return fmt.Sprintf("%s of partner %q, environment %q, key ID %q, sealing %d",
		c.Purpose, c.Partner, c.Environment, c.KeyID, c.Version)
}

func (c Context) additional(head []byte) []byte {
	b := append([]byte("sealane sealed 1\x00"), head...)
	for _, field := range []string{c.Partner, c.Environment, c.KeyID, c.Purpose} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(c.Version))
}

// Seal returns plaintext sealed for a place. The caller wipes plaintext.
func (k *Key) Seal(plaintext []byte, c Context) ([]byte, error) {
	if k == nil || k.aead == nil {
		return nil, fmt.Errorf("seal %v: there is no root key", c)
	}
	if c.Purpose == "" {
		return nil, fmt.Errorf("seal %v: the purpose is empty", c)
	}
	sealed := make([]byte, header, overhead+len(plaintext))
	sealed[0] = version
	copy(sealed[1:], k.id[:])
	return k.aead.Seal(sealed, nil, plaintext, c.additional(sealed[:header])), nil
}

// Open returns what was sealed for a place, in a new slice that the caller wipes. The error is
// ErrDamaged if a bit was changed, or if it was sealed for another place, and ErrOtherKey if it
// names another root key. Both errors name the place.
func (k *Key) Open(sealed []byte, c Context) ([]byte, error) {
	if k == nil || k.aead == nil {
		return nil, fmt.Errorf("open %v: there is no root key", c)
	}
	id, err := SealedUnder(sealed)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", c, err)
	}
	if id != k.ID() {
		return nil, fmt.Errorf("open %v: %w: it names root key %s, not %s; add that one, or restore "+
			"the record if its first bytes were changed", c, ErrOtherKey, id, k.ID())
	}
	plaintext, err := k.aead.Open(nil, nil, sealed[header:], c.additional(sealed[:header]))
	if err != nil {
		return nil, fmt.Errorf("open %v: %w: its bytes were changed, or belong to another record; restore it from a "+
			"backup", c, ErrDamaged)
	}
	return plaintext, nil
}

// SealedUnder returns the ID of the root key that a sealed value names.
func SealedUnder(sealed []byte) (string, error) {
	switch {
	case len(sealed) < overhead:
		return "", fmt.Errorf("%w: it has %d bytes, fewer than anything sealed", ErrDamaged, len(sealed))
	case sealed[0] != version:
		return "", fmt.Errorf("%w: it has version %d, and only %d is known here", ErrDamaged, sealed[0], version)
	}
	return hex.EncodeToString(sealed[1:header]), nil
}

// CheckValue returns a value by which Matches recognizes the key later. It is stored with the
// sealed values, and is not secret.
func (k *Key) CheckValue() []byte {
	b := append([]byte{version}, k.id[:]...)
	return append(b, k.check[:]...)
}

// CheckedID returns the ID of the key that a check value is of.
func CheckedID(check []byte) (string, error) {
	if len(check) != header+sha256.Size || check[0] != version {
		return "", fmt.Errorf("root key: the stored check value is %w: restore it from a backup", ErrDamaged)
	}
	return hex.EncodeToString(check[1:header]), nil
}

// Matches returns nil if a check value is this key's, and else ErrOtherKey or ErrDamaged.
func (k *Key) Matches(check []byte) error {
	switch {
	case k == nil || k.aead == nil:
		return errors.New("root key: there is none")
	case len(check) != header+sha256.Size || check[0] != version:
		return fmt.Errorf("root key %s: the stored check value is %w: restore it from a backup", k.ID(), ErrDamaged)
	case string(check[1:header]) != string(k.id[:]):
		return fmt.Errorf("root key %s: %w: the registry is sealed under %x", k.ID(), ErrOtherKey, check[1:header])
	case subtle.ConstantTimeCompare(check[header:], k.check[:]) != 1:
		return fmt.Errorf("root key %s: the stored check value is %w: restore it from a backup", k.ID(), ErrDamaged)
	}
	return nil
}
