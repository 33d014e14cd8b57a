package registry

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
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
	if err == nil && shared[0].Any() {
		err = Refusal([]cert.Finding{SharedPrime(shared[0])}, nil)
	}
	return err
}

// SharedWith is what shares primes with a key: the identities of key pairs and certificates of
// the registry.
type SharedWith struct {
	// Primes are the keys with which it has one prime in common. They are as unsafe as it is.
	Primes []string
	// Whole are the keys of whose whole modulus it is a multiple. They are in no danger: anyone can
	// multiply a public modulus.
	Whole []string
}

// Any reports whether there are any.
func (s SharedWith) Any() bool { return len(s.Primes)+len(s.Whole) > 0 }

// SharedPrime returns the finding that refuses a key which shares a prime with others.
func SharedPrime(with SharedWith) cert.Finding {
	f := cert.Finding{
		Code: RuleSharedPrime, Name: "shared prime", Level: cert.Refused,
		Remedy: "ask for a new key pair, made by another generator",
	}
	var found []string
	if len(with.Primes) > 0 {
		found = append(found, "this key has a prime in common with "+strings.Join(with.Primes, ", ")+": "+
			"anyone who has both public keys can compute the private keys")
		f.Remedy += "; tell the owner of the other key, who must replace it"
	}
	if len(with.Whole) > 0 {
		found = append(found, "this key was made of the modulus of "+strings.Join(with.Whole, ", ")+
			", which is in no danger")
	}
	f.Found = strings.Join(found, "; ")
	return f
}

// SharedPrimes returns for each key what shares a prime with it: the identities of key pairs
// and certificates of the registry, and that another of these keys does. Thousands of keys at
// once cost little more than a few, see [batchgcd.Find].
func (r *Registry) SharedPrimes(ctx context.Context, keys []*rsa.PublicKey) ([]SharedWith, error) {
	c, err := r.ComparePrimes(ctx, keys, 0)
	return c.Shared, err
}

// PrimeComparison is the result of ComparePrimes.
type PrimeComparison struct {
	Shared  []SharedWith // for each key, as SharedPrimes returns it
	Damaged DamagedRows
	// Compared is how many records the audit log had: a key that is stored later, and before
	// the compared ones are, was not among those that they were compared with.
	Compared int64
}

// ComparePrimes is SharedPrimes with those keys only that were stored when the audit log had
// that many records or more; since 0 are all. Keys whose rows are damaged are left out, and named.
func (r *Registry) ComparePrimes(ctx context.Context, keys []*rsa.PublicKey, since int64) (PrimeComparison, error) {
	moduli := make([]*big.Int, len(keys))
	for i, key := range keys {
		moduli[i] = key.N
	}
	known := &knownModuli{registry: r, since: since}
	shared, err := batchgcd.Find(ctx, moduli, known.all(ctx))
	switch {
	case known.err != nil:
		return PrimeComparison{}, known.err
	case errors.Is(err, batchgcd.ErrTooMany):
		return PrimeComparison{}, Refuse("more than %d keys share primes: ask for them in smaller parts, "+
			"and look who has made them", batchgcd.MaxShared)
	case err != nil:
		return PrimeComparison{}, err
	}
	const another = "another that came with it"
	found := make([]SharedWith, len(shared))
	for i, s := range shared {
		found[i] = SharedWith{Primes: s.Known, Whole: s.Whole}
		if s.New && len(s.Known) < batchgcd.MaxNames {
			found[i].Primes = append(found[i].Primes, another)
		}
		if s.NewWhole && len(s.Whole) < batchgcd.MaxNames {
			found[i].Whole = append(found[i].Whole, another)
		}
	}
	return PrimeComparison{found, known.damaged, known.compared}, nil
}

// knownModuli are the moduli of public keys of the registry.
type knownModuli struct {
	registry *Registry
	since    int64

	compared int64
	damaged  DamagedRows
	err      error // why they can't be read
}

// all returns the moduli. Where they can't be read the sequence ends, and err is set.
func (k *knownModuli) all(ctx context.Context) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		err := k.registry.Store.View(ctx, func(tx Reader) error {
			head, err := tx.AuditHead()
			if err != nil {
				return err
			}
			k.compared, k.damaged = head.Seq, nil
			return k.read(tx, yield)
		})
		k.err = errors.Join(k.err, err)
	}
}

func (k *knownModuli) read(tx Reader, yield func(string, []byte) bool) error {
	for key, err := range tx.PublicKeys(k.since) {
		if damaged, is := errors.AsType[*DamagedRow](err); is {
			k.damaged = append(k.damaged, damaged)
			continue
		}
		if err != nil {
			return err
		}
		n, err := modulus(key.SPKI)
		if err != nil {
			k.damaged = append(k.damaged, &DamagedRow{Row: key.ID, ID: key.ID, Why: err.Error()})
			continue
		}
		if !yield(key.ID, n) {
			return nil
		}
	}
	return nil
}

// modulus returns that of a SubjectPublicKeyInfo of the registry, as a part of it. It reads no
// more of it, because all keys of the registry are read for each that comes in.
func modulus(spki []byte) (n []byte, err error) {
	var info, key, bits cryptobyte.String
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) ||
		!info.ReadASN1(&bits, asn1.BIT_STRING) || !bits.Skip(1) ||
		!bits.ReadASN1(&key, asn1.SEQUENCE) || !key.ReadASN1Integer(&n) || bytes.Equal(n, []byte{0}) {
		return nil, Refuse("it has no RSA public key")
	}
	return n, nil
}
