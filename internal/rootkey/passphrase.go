package rootkey

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// The cost of guessing a passphrase. FIPS 140-3 mode allows PBKDF2, but not argon2id, which
// would cost an attacker more. Parameters with fewer rounds are refused, so that somebody
// who can write the database cannot make guessing cheap. Parameters with more than
// MaxRounds are refused, so that they cannot delay the start of a program forever.
const (
	Rounds    = 600_000
	MaxRounds = 10_000_000

	// MinPassphrase is how many bytes a new passphrase must have.
	MinPassphrase = 16

	minDifferentCharacters = 8

	kdf      = "PBKDF2-HMAC-SHA-256"
	saltSize = 16
)

// Parameters describe how a key is derived from a passphrase. They are not secret. The
// passphrase is useless without them, so backups need them.
type Parameters struct {
	KDF    string `json:"kdf"`
	Rounds int    `json:"rounds"`
	Salt   []byte `json:"salt"`
}

// CheckPassphrase refuses a passphrase that is too easy to guess for a new root key.
func CheckPassphrase(passphrase []byte) error {
	if len(passphrase) < MinPassphrase {
		return fmt.Errorf("root key: the passphrase has fewer than %d bytes; take six random words", MinPassphrase)
	}
	if different(passphrase) < minDifferentCharacters || repeats(passphrase) || counts(passphrase) {
		return fmt.Errorf("root key: the passphrase has fewer than %d different characters, repeats itself "+
			"or counts; take six random words", minDifferentCharacters)
	}
	return nil
}

// NewPassphrase makes a root key from a passphrase and a new salt. The caller must store the
// parameters. It takes about a second.
func NewPassphrase(passphrase []byte) (k *Key, parameters []byte, err error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return nil, nil, err
	}
	p := Parameters{KDF: kdf, Rounds: Rounds, Salt: make([]byte, saltSize)}
	_, _ = rand.Read(p.Salt) // never fails
	if parameters, err = json.Marshal(p); err != nil {
		return nil, nil, fmt.Errorf("root key: %w", err)
	}
	if k, err = p.key(passphrase); err != nil {
		return nil, nil, err
	}
	return k, parameters, nil
}

// FromPassphrase makes the root key again. From a wrong passphrase or changed parameters it makes
// another key, which [Key.Matches] finds.
func FromPassphrase(passphrase, parameters []byte) (*Key, error) {
	p, err := ParseParameters(parameters)
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, errors.New("root key: the passphrase is empty")
	}
	return p.key(passphrase)
}

// ParseParameters parses the parameters that [NewPassphrase] returned.
func ParseParameters(parameters []byte) (Parameters, error) {
	var p Parameters
	if json.Unmarshal(parameters, &p) != nil {
		return Parameters{}, errors.New("root key: the stored parameters of the passphrase are not readable: " +
			"restore them from a backup")
	}
	if p.Rounds < Rounds || p.Rounds > MaxRounds || p.KDF != kdf || len(p.Salt) != saltSize {
		return Parameters{}, fmt.Errorf("root key: the stored parameters of the passphrase were changed: %s, %d to "+
			"%d rounds and a salt of %d bytes are needed; restore them from a backup",
			kdf, Rounds, MaxRounds, saltSize)
	}
	if again, err := json.Marshal(p); err != nil || !bytes.Equal(again, parameters) {
		return Parameters{}, errors.New("root key: the stored parameters of the passphrase were changed: restore " +
			"them from a backup")
	}
	return p, nil
}

// The string is a copy that can't be wiped.
func (p Parameters) key(passphrase []byte) (*Key, error) {
	secret, err := pbkdf2.Key(sha256.New, string(passphrase), p.Salt, p.Rounds, Size)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	defer clear(secret)
	return derive(secret)
}
