package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/batchgcd"
)

// CheckSharedPrime refuses a key that shares a prime with another of the registry. It takes
// its time: call it before the change that lets the key in, which would hold up others.
func (r *Registry) CheckSharedPrime(ctx context.Context, key *rsa.PublicKey) error {
	shared, err := r.SharedPrimes(ctx, []*rsa.PublicKey{key})
	if err == nil && len(shared[0]) > 0 {
		err = SharedPrime(shared[0])
	}
	return err
}

// SharedPrime returns the finding that refuses a key which shares a prime with others.
func SharedPrime(others []string) Finding {
	return Finding{
		Rule: RuleSharedPrime, Level: cert.Refused,
		Found: "this key has a prime in common with " + strings.Join(others, ", ") + ": " +
			"whoever has both can compute the private keys",
		Do: "ask for a new key pair by another generator; whose the other is must know it, too, and replace theirs",
	}
}

// SharedPrimes returns for each key what shares a prime with it: the identities of key pairs
// and certificates of the registry, and that another of these keys does. Thousands of keys at
// once cost little more than a few, see [batchgcd.Find].
func (r *Registry) SharedPrimes(ctx context.Context, keys []*rsa.PublicKey) ([][]string, error) {
	moduli := make([]*big.Int, len(keys))
	for i, key := range keys {
		moduli[i] = key.N
	}
	var unread error
	shared, err := batchgcd.Find(ctx, moduli, r.moduli(ctx, &unread))
	switch {
	case unread != nil:
		return nil, unread
	case errors.Is(err, batchgcd.ErrTooMany):
		return nil, fmt.Errorf("more than %d keys share primes: ask for them in smaller parts, and look who has "+
			"made them", batchgcd.MaxShared)
	case err != nil:
		return nil, err
	}
	names := make([][]string, len(shared))
	for i, s := range shared {
		names[i] = s.Known
		if s.New && len(s.Known) < batchgcd.MaxNames {
			names[i] = append(names[i], "another that came with it")
		}
	}
	return names, nil
}

// moduli returns the moduli of all public keys of the registry. Where they can't be read the
// sequence ends, and unread has the error.
func (r *Registry) moduli(ctx context.Context, unread *error) iter.Seq2[string, *big.Int] {
	return func(yield func(string, *big.Int) bool) {
		err := r.Store.View(ctx, func(tx Tx) error {
			for key, err := range tx.PublicKeys(0) {
				if err != nil {
					return err
				}
				n, err := modulus(key.SPKI)
				if err != nil {
					return fmt.Errorf("%s: %w", key.ID, err)
				}
				if !yield(key.ID, n) {
					return nil
				}
			}
			return nil
		})
		*unread = errors.Join(*unread, err)
	}
}

// modulus returns that of a SubjectPublicKeyInfo of the registry. It reads no more of it,
// because all keys of the registry are read for each that comes in.
func modulus(spki []byte) (*big.Int, error) {
	var info, key, bits cryptobyte.String
	n := new(big.Int)
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) ||
		!info.ReadASN1(&bits, asn1.BIT_STRING) || !bits.Skip(1) ||
		!bits.ReadASN1(&key, asn1.SEQUENCE) || !key.ReadASN1Integer(n) || n.Sign() <= 0 {
		return nil, errors.New("its public key is damaged in the registry: restore it from a backup")
	}
	return n, nil
}
