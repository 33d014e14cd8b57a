// Package keyring holds one party's keys on one lane at one moment: the one in
// use, and those that still count during an overlap. A ring never changes;
// rotation makes a new one.
package keyring

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
)

// Private is a private key: in memory, in an HSM, in a vault.
type Private interface {
	crypto.Signer
	crypto.Decrypter
}

// ContextSigner is implemented by a private key whose signatures take a network or a device. A
// lane calls SignContext in place of Sign, with the context of the call to Seal.
type ContextSigner interface {
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) (signature []byte, err error)
}

// ContextDecrypter is implemented by a private key whose decryptions take a network or a device. A
// lane calls DecryptContext in place of Decrypt, with the context of the call to Open.
type ContextDecrypter interface {
	DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) (plaintext []byte, err error)
}

// State is where a key stands in its life. The zero value is none of them: every
// key of a ring says its state.
type State int

// The states.
const (
	Active   State = iota + 1 // signs, opens; is encrypted to, verifies
	Staged                    // opens, verifies: the partner may begin to use it any time
	Retiring                  // opens, verifies: the partner may not have stopped using it
)

func (s State) String() string {
	if s < Active || s > Retiring {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return [...]string{"active", "staged", "retiring"}[s-Active]
}

// Use says what a key is for, as the JWK parameter "use" does (RFC 7517 section 4.2).
type Use int

// The uses. The zero value is UseAny.
const (
	UseAny Use = iota // signatures and encryption (RiskOS: one key pair per account)
	UseSig            // signatures only
	UseEnc            // encryption only
)

// Key is one key of a ring. A partner's has no Private.
type Key struct {
	ID          string // the kid; several keys may have the same
	State       State
	Use         Use
	Public      *rsa.PublicKey // may be left out where Private or Certificate has it
	Private     Private
	Certificate *x509.Certificate // for the inventory; not needed to seal or open
	PublicOps   PublicOps         // does what is done with Public; nil: crypto/rsa
}

// PublicOps performs the operations of an RSA public key.
type PublicOps interface {
	// EncryptOAEP encrypts with RSA-OAEP (RFC 8017 section 7.1), with hash for the
	// mask too and an empty label.
	EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error)
	// Verify checks the signature of a digest. The options are those with which a
	// [crypto.Signer] made it: a [crypto.Hash] for RSASSA-PKCS1-v1_5, a
	// [*rsa.PSSOptions] that says its hash and salt length for RSASSA-PSS. It returns
	// [rsa.ErrVerification] where the signature does not hold; any other error is of
	// the key.
	Verify(digest, signature []byte, options crypto.SignerOpts) error
}

// maxKeys bounds the work of one hostile message: every candidate costs an RSA
// operation.
const maxKeys = 8

// Ring is an immutable set of keys, in the order in which they are tried.
type Ring struct{ keys []Key }

// New makes a ring. The keys are checked (size, exponent, known weaknesses), no
// two may be the same, and at most one is active for each use.
func New(keys ...Key) (*Ring, error) {
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("keyring: %d keys, more than %d; retire some", len(keys), maxKeys)
	}
	r := &Ring{keys: slices.Clone(keys)}
	for i := range r.keys {
		k := &r.keys[i]
		if err := k.complete(); err != nil {
			return nil, fmt.Errorf("keyring: key %d (ID %q): %w", i+1, k.ID, err)
		}
		for _, other := range r.keys[:i] {
			if other.Public.Equal(k.Public) {
				return nil, fmt.Errorf("keyring: key %d (ID %q) is the same key as another in the ring", i+1, k.ID)
			}
			if k.State == Active && other.State == Active && k.overlaps(other.Use) {
				return nil, fmt.Errorf("keyring: keys with ID %q and %q are both active; stage or retire one", other.ID, k.ID)
			}
		}
	}
	return r, nil
}

// complete fills in the public key and checks what belongs together.
func (k *Key) complete() error {
	switch {
	case k.State == 0:
		return errors.New("the key must say its state: active, staged or retiring")
	case k.State < Active || k.State > Retiring:
		return fmt.Errorf("state %d is not known", k.State)
	case k.Use < UseAny || k.Use > UseEnc:
		return fmt.Errorf("use %d is not known", k.Use)
	}
	if k.ID != "" {
		if err := cert.CheckKeyIDText(k.ID); err != nil {
			return err
		}
	}
	var sources []crypto.PublicKey
	if k.Public != nil {
		sources = append(sources, k.Public)
	}
	if k.Private != nil {
		sources = append(sources, k.Private.Public())
	}
	if private, ok := k.Private.(*rsa.PrivateKey); ok && len(private.Primes) != 2 {
		return fmt.Errorf("the private key has %d primes: use one of two (RFC 8017 section 3.2 allows more; others refuse them)", len(private.Primes))
	}
	if k.Certificate != nil {
		sources = append(sources, k.Certificate.PublicKey)
	}
	for i, s := range sources {
		pub, ok := s.(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("a %T is not an RSA key", s)
		}
		if i > 0 && !pub.Equal(k.Public) {
			return errors.New("public key, private key and certificate do not belong together")
		}
		k.Public = pub
	}
	if k.Public == nil {
		return errors.New("no key is given")
	}
	return cert.CheckKey(k.Public)
}

func (k Key) overlaps(u Use) bool { return k.Use == UseAny || u == UseAny || k.Use == u }

// Signer gives the key that signs.
func (r *Ring) Signer() (Key, bool) {
	return r.active(UseSig, func(k Key) bool { return k.Private != nil })
}

// Recipient gives the key to encrypt to.
func (r *Ring) Recipient() (Key, bool) {
	return r.active(UseEnc, func(Key) bool { return true })
}

func (r *Ring) active(u Use, ok func(Key) bool) (Key, bool) {
	for _, k := range r.all() {
		if k.State == Active && k.overlaps(u) && ok(k) {
			return k, true
		}
	}
	return Key{}, false
}

// Openers gives the keys that can decrypt, those with that ID first. With only,
// no others.
func (r *Ring) Openers(id string, only bool) []Key {
	return r.pick(id, only, func(k Key) bool { return k.Private != nil && k.overlaps(UseEnc) })
}

// Verifiers gives the keys that a signature may be by, those with that ID
// first. With only, no others.
func (r *Ring) Verifiers(id string, only bool) []Key {
	return r.pick(id, only, func(k Key) bool { return k.overlaps(UseSig) })
}

func (r *Ring) pick(id string, only bool, ok func(Key) bool) []Key {
	var first, rest []Key
	for _, k := range r.all() {
		switch {
		case !ok(k):
		case id != "" && k.ID == id:
			first = append(first, k)
		case !only:
			rest = append(rest, k)
		}
	}
	return append(first, rest...)
}

// Keys lists the ring.
func (r *Ring) Keys() []Key { return slices.Clone(r.all()) }

// all lets a nil ring stand for one without keys.
func (r *Ring) all() []Key {
	if r == nil {
		return nil
	}
	return r.keys
}
