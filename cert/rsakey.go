package cert

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/sealane/sealane/internal/alg"
)

// The faults that [CheckKey] finds, for errors.Is.
var (
	ErrKeySize     = errors.New("RSA modulus is not exactly 2048, 3072 or 4096 bits")
	ErrKeyExponent = errors.New("RSA public exponent is not 65537")
	ErrROCA        = errors.New("RSA key has the ROCA weakness (CVE-2017-15361)")
	ErrSmallFactor = errors.New("RSA modulus has a small factor")
	ErrClosePrimes = errors.New("RSA primes are too close to each other (Fermat factorization)")
)

// ErrNotRSA means that a key is of another kind.
var ErrNotRSA = errors.New("not an RSA key")

const newPair = "make a new pair with current software"

// publicExponent is the only accepted one. Every library writes it, and a larger one
// makes verification expensive (CVE-2023-29409).
const publicExponent = 65537

const (
	smallPrimeLimit = 1 << 14 // trial division stops here
	rocaPrimeLimit  = 167     // the published fingerprint uses the primes up to this one
	fermatSteps     = 100
)

// Computed once: the odd primes below smallPrimeLimit, their product, and for each
// prime up to rocaPrimeLimit the residues that are powers of 65537.
var (
	oddPrimes    = primesBelow(smallPrimeLimit)[1:]
	primorial    = product(oddPrimes)
	rocaResidues = powersOf65537(oddPrimes)
)

// GenerateKey returns a new key pair of 2048, 3072 or 4096 bits.
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

func sizeAllowed(bits int) bool { return slices.Contains(alg.RSABits, bits) }

// ParsePublicKey returns the RSA key of a DER SubjectPublicKeyInfo. The error wraps
// [ErrNotRSA] if the key is of another kind. It does not apply [CheckKey].
func ParsePublicKey(spki []byte) (*rsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the public key is %T: %w", key, ErrNotRSA)
	}
	return pub, nil
}

// CheckKey returns an error for a public key that must not be used: a size or
// exponent other than the agreed ones (RFC 8017, section 3.1, allows more), or a
// weakness of a bad generator. It takes a few milliseconds at most, so call it
// whenever a key is loaded.
//
// It can't find a prime that two keys share; that takes all keys together.
func CheckKey(pub *rsa.PublicKey) error {
	if pub == nil || pub.N == nil || pub.N.Sign() <= 0 {
		return fmt.Errorf("%w: there is no modulus; %s", ErrKeySize, newPair)
	}
	if bits := pub.N.BitLen(); !sizeAllowed(bits) {
		return fmt.Errorf("%w: it has %d bits; %s", ErrKeySize, bits, newPair)
	}
	if pub.E != publicExponent {
		return fmt.Errorf("%w: it is %d; %s", ErrKeyExponent, pub.E, newPair)
	}
	if p := smallFactor(pub.N); p != 0 {
		return fmt.Errorf("%w: %d divides it; the key is broken or damaged: %s", ErrSmallFactor, p, newPair)
	}
	if isROCA(pub.N) {
		return fmt.Errorf("%w: its private key can be computed from the certificate; "+
			"replace the chip or library that made it, then %s", ErrROCA, newPair)
	}
	if hasClosePrimes(pub.N) {
		return fmt.Errorf("%w: its private key can be computed from the certificate; %s", ErrClosePrimes, newPair)
	}
	return nil
}

// smallFactor returns the least prime below smallPrimeLimit that divides n, or 0.
func smallFactor(n *big.Int) uint64 {
	if n.Bit(0) == 0 {
		return 2
	}
	if new(big.Int).GCD(nil, nil, primorial, n).Cmp(big.NewInt(1)) == 0 {
		return 0
	}
	for _, p := range oddPrimes {
		if mod(n, p) == 0 {
			return p
		}
	}
	return 0
}

// isROCA applies the fingerprint of Nemec and others (CCS 2017, "The Return of
// Coppersmith's Attack"): the primes of the affected library are
// k·M + (65537^a mod M), so modulo every small prime the modulus is a power of
// 65537. A sound key matches once in a hundred million.
func isROCA(n *big.Int) bool {
	for p, residues := range rocaResidues {
		if !residues[mod(n, p)] {
			return false
		}
	}
	return true
}

// hasClosePrimes runs the first steps of Fermat's method. It succeeds only if the
// primes share almost all of their upper half, which no sound generator does.
func hasClosePrimes(n *big.Int) bool {
	one := big.NewInt(1)
	a := new(big.Int).Sqrt(n)
	square := new(big.Int)
	if square.Mul(a, a).Cmp(n) == 0 {
		return true
	}
	a.Add(a, one)
	rest := new(big.Int).Sub(square.Mul(a, a), n)
	root := new(big.Int)
	for range fermatSteps {
		// A square is 0, 1, 4 or 9 modulo 16, and a quadratic residue modulo each odd
		// prime. Most candidates fail here, without a square root.
		if mayBeSquare(rest) {
			root.Sqrt(rest)
			if square.Mul(root, root).Cmp(rest) == 0 {
				return true
			}
		}
		// (a+1)² − n = (a² − n) + 2a + 1
		rest.Add(rest, square.Lsh(a, 1))
		rest.Add(rest, one)
		a.Add(a, one)
	}
	return false
}

func mayBeSquare(x *big.Int) bool {
	switch mod(x, 16) {
	case 0, 1, 4, 9:
	default:
		return false
	}
	for _, p := range oddPrimes[:8] {
		if big.Jacobi(new(big.Int).SetUint64(mod(x, p)), new(big.Int).SetUint64(p)) < 0 {
			return false
		}
	}
	return true
}

func mod(n *big.Int, m uint64) uint64 {
	d := new(big.Int).SetUint64(m)
	return d.Mod(n, d).Uint64()
}

func primesBelow(limit int) []uint64 {
	composite := make([]bool, limit)
	var primes []uint64
	for i := 2; i < limit; i++ {
		if composite[i] {
			continue
		}
		primes = append(primes, uint64(i))
		for j := i * i; j < limit; j += i {
			composite[j] = true
		}
	}
	return primes
}

func product(factors []uint64) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, new(big.Int).SetUint64(f))
	}
	return p
}

func powersOf65537(primes []uint64) map[uint64][]bool {
	reached := make(map[uint64][]bool)
	for _, p := range primes {
		if p > rocaPrimeLimit {
			break
		}
		residues := make([]bool, p)
		for x := uint64(1); !residues[x]; x = x * publicExponent % p {
			residues[x] = true
		}
		reached[p] = residues
	}
	return reached
}
