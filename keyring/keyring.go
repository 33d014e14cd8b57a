// Package keyring holds one party's keys on one lane at one moment.
//
// # Use
//
// A [Ring] has the active key, which signs and is encrypted to, and during a
// rotation those that the partner may use already or may still use. [New] checks
// the keys; a ring never changes after that. Rotation makes a new ring and a new
// lane.
//
// # Keys
//
// Our own keys are [Private]: a crypto.Signer and a crypto.Decrypter, in memory, in
// a hardware module or in a vault. Package kms opens them by URI. A partner's key is
// its certificate or its public key alone.
//
// All keys are RSA keys of 2048, 3072 or 4096 bits with two primes and a public
// exponent 65537.
package keyring

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
)

// Private is a private key. Its methods must be safe for concurrent use, and Public
// must return an *rsa.PublicKey. Package kms states the contract.
type Private interface {
	crypto.Signer
	crypto.Decrypter
}

// ContextSigner is implemented by a private key that needs a network or a device to sign. A
// lane calls SignContext instead of Sign, with the context of the call to Seal.
type ContextSigner interface {
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) (signature []byte, err error)
}

// ContextDecrypter is implemented by a private key that needs a network or a device to
// decrypt. A lane calls DecryptContext instead of Decrypt, with the context of the call to
// Open.
type ContextDecrypter interface {
	DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) (plaintext []byte, err error)
}

// State is the state of a key. The zero value is invalid: every key of a ring must have a
// state.
type State int

// The states.
const (
	Active   State = iota + 1 // signs, opens; is encrypted to, verifies
	Staged                    // opens, verifies: the partner may start to use it at any time
	Retiring                  // opens, verifies: the partner may still use it
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

// Key is one key of a ring.
type Key struct {
	// ID is the key ID (header parameter kid), or empty. Several keys may have the same.
	ID string
	// State is required.
	State State
	// Use restricts the key. The zero value does not.
	Use Use
	// Public is optional if Private or Certificate is set.
	Public *rsa.PublicKey
	// Private is nil for a partner's key.
	Private Private
	// Certificate is kept for inventories. Sealing and opening need only its public key and its
	// end: neither looks at its key usage or its issuer.
	Certificate *x509.Certificate
	// NotBefore is when the key's certificate begins. The default is Certificate's. Of several older
	// keys, the one whose certificate began last is the newest.
	NotBefore time.Time
	// NotAfter is when the key's certificate ends. The default is Certificate's; a key without
	// either has no end.
	NotAfter time.Time
	// PublicOps performs the operations of Public. The default uses crypto/rsa.
	PublicOps PublicOps
}

// Info describes the key without its private part.
func (k Key) Info() KeyInfo {
	return KeyInfo{k.ID, k.State, k.Use, clonePublic(k.Public), k.Certificate, k.NotBefore, k.NotAfter}
}

// KeyInfo describes a key. It holds no private key, and may be logged.
type KeyInfo struct {
	ID          string            // the key ID, or empty
	State       State             // the state of the key
	Use         Use               // what it is for
	Public      *rsa.PublicKey    // a copy
	Certificate *x509.Certificate // nil if the ring was made without one
	NotBefore   time.Time         // when its certificate begins; zero if that is not known
	NotAfter    time.Time         // when its certificate ends; zero if that is not known
}

func clonePublic(k *rsa.PublicKey) *rsa.PublicKey {
	if k == nil {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E}
}

// PublicOps performs the operations of an RSA public key.
type PublicOps interface {
	// EncryptOAEP encrypts with RSA-OAEP (RFC 8017 section 7.1), with hash for the
	// mask too and an empty label.
	EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error)
	// Verify checks the signature of a digest. The options are those with which a
	// [crypto.Signer] made it: a [crypto.Hash] for RSASSA-PKCS1-v1_5, or a
	// [*rsa.PSSOptions] with hash and salt length for RSASSA-PSS. It returns
	// [rsa.ErrVerification] if the signature is not valid; any other error concerns the
	// key.
	Verify(digest, signature []byte, options crypto.SignerOpts) error
}

// maxKeys limits the work for one hostile message: every candidate takes an RSA operation.
const maxKeys = 8

// Ring is an immutable set of at most eight keys, in the order in which they are
// tried. A nil ring has no keys.
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
				return nil, fmt.Errorf(
					"keyring: keys with ID %q and %q are both active; stage or retire one",
					other.ID,
					k.ID,
				)
			}
		}
	}
	return r, nil
}

// complete fills in the public key and checks that the parts belong together.
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
		return fmt.Errorf(
			"the private key has %d primes: use a key of two (RFC 8017 section 3.2 allows more, but most software "+
				"refuses them)",
			len(private.Primes),
		)
	}
	if k.Certificate != nil {
		sources = append(sources, k.Certificate.PublicKey)
		if k.NotBefore.IsZero() {
			k.NotBefore = k.Certificate.NotBefore
		}
		if k.NotAfter.IsZero() {
			k.NotAfter = k.Certificate.NotAfter
		}
	}
	for i, s := range sources {
		pub, ok := s.(*rsa.PublicKey)
		if !ok || pub == nil || pub.N == nil {
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
	k.Public = clonePublic(k.Public)
	return cert.CheckKey(k.Public)
}

func (k Key) overlaps(u Use) bool { return k.Use == UseAny || u == UseAny || k.Use == u }

// Signer returns the key that signs. It reports false if the ring has none.
func (r *Ring) Signer() (Key, bool) {
	return r.active(UseSig, func(k Key) bool { return k.Private != nil })
}

// Recipient returns the key to encrypt to. It reports false if the ring has none.
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

// Openers returns the keys that can decrypt: first those with the key ID, then
// the others.
func (r *Ring) Openers(id string) []Key { return r.pick(id, false, Key.opens) }

// OpenersNamed returns the keys with the key ID that can decrypt.
func (r *Ring) OpenersNamed(id string) []Key { return r.pick(id, true, Key.opens) }

// Verifiers returns the keys that can have made a signature: first those with the
// key ID, then the others.
func (r *Ring) Verifiers(id string) []Key { return r.pick(id, false, Key.verifies) }

// VerifiersNamed returns the keys with the key ID that can have made a signature.
func (r *Ring) VerifiersNamed(id string) []Key { return r.pick(id, true, Key.verifies) }

func (k Key) opens() bool    { return k.Private != nil && k.overlaps(UseEnc) }
func (k Key) verifies() bool { return k.overlaps(UseSig) }

// pick returns the keys that are ok: first those with the key ID, which an empty ID never names, and then the
// others, unless only those with the key ID are asked for.
func (r *Ring) pick(id string, onlyNamed bool, ok func(Key) bool) []Key {
	all := r.all()
	keys := make([]Key, 0, len(all))
	for _, named := range [...]bool{true, false} {
		for i := range all {
			if (id != "" && all[i].ID == id) == named && (named || !onlyNamed) && ok(all[i]) {
				keys = append(keys, all[i])
			}
		}
	}
	return keys
}

// Keys lists the keys of the ring.
func (r *Ring) Keys() []Key { return slices.Clone(r.all()) }

// Infos describes the keys of the ring.
func (r *Ring) Infos() []KeyInfo {
	var list []KeyInfo
	for _, k := range r.all() {
		list = append(list, k.Info())
	}
	return list
}

// all returns the keys. A nil ring has none.
func (r *Ring) all() []Key {
	if r == nil {
		return nil
	}
	return r.keys
}
