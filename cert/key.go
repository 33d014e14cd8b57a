package cert

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
)

// publicExponent is the only one accepted: every library writes it, and a
// larger one makes verification expensive (CVE-2023-29409).
const publicExponent = 65537

// GenerateKey makes a key pair of 2048, 3072 or 4096 bits.
func GenerateKey(bits int) (*rsa.PrivateKey, error) {
	if !sizeAllowed(bits) {
		return nil, fmt.Errorf("generate key: %d bits: choose 2048, 3072 or 4096", bits)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate key of %d bits: %w", bits, err)
	}
	return key, nil
}

func sizeAllowed(bits int) bool {
	return bits == 2048 || bits == 3072 || bits == 4096
}

// checkPrivate holds a private key that was read to the same rules as a public
// one, and to its own arithmetic.
func checkPrivate(key *rsa.PrivateKey) error {
	if err := CheckKey(&key.PublicKey); err != nil {
		return err
	}
	if len(key.Primes) != 2 {
		return fmt.Errorf("the key has %d primes: only keys of two primes are used; make a new pair", len(key.Primes))
	}
	if err := key.Validate(); err != nil {
		return errors.New("the numbers of the key do not belong together: it is damaged or was altered; take it from its backup or make a new pair")
	}
	return nil
}
