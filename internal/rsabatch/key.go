package rsabatch

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"slices"
	"sync"

	"github.com/sealane/sealane/internal/rsapad"
)

// Key is an RSA private key: a crypto.Signer for RS256 and PS256, and a crypto.Decrypter for RSA-OAEP.
// It is safe for concurrent use. An operation that waits for a batch ends with its context.
//
// Close wipes the key's numbers, and so does the garbage collector, later, when a key is no longer
// reachable.
type Key struct {
	engine *Engine
	public *rsa.PublicKey
	last   []byte // the modulus less one, as long as the modulus
	state  *state
}

// state is what is freed when a key is closed and no operation uses it any more. A batch that does not
// return uses it forever: its memory must not be wiped, since the kernel may still read it.
type state struct {
	single   Single
	size     int // index in Sizes, or -1 if the key takes no part in batches
	modulus  []byte
	numbers  Numbers
	blinding *blinding

	mu     sync.Mutex
	users  int
	closed bool
}

// NewKey imports a key of two primes and 2048 to 4096 bits. The caller's key is not changed. A key of
// another form than Kernel.NewNumbers asks for takes no part in batches.
func (e *Engine) NewKey(key *rsa.PrivateKey) (*Key, error) {
	single, err := e.config.Private(key) // which checks the key
	if err != nil {
		return nil, err
	}
	s := &state{single: single, size: -1}
	public := &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}
	if size, reason := takesPart(key); size < 0 {
		e.report(fmt.Sprintf("an RSA key of %d bits takes no part in batches: %s", key.N.BitLen(), reason))
	} else if err := s.join(e.config.Kernel, key, size); err != nil {
		return nil, errors.Join(fmt.Errorf("import RSA key for batches: %w", err), single.Close())
	}
	k := &Key{engine: e, public: public, last: rsapad.LessOne(public.N), state: s}
	runtime.AddCleanup(k, (*state).close, s)
	return k, nil
}

// takesPart returns the index of the key's size in Sizes, or -1 and the reason why it has none.
func takesPart(key *rsa.PrivateKey) (size int, reason string) {
	bits := key.N.BitLen()
	size = slices.Index(Sizes[:], bits)
	switch {
	case size < 0:
		return -1, "only 2048, 3072 and 4096 do"
	case key.E != Exponent:
		return -1, fmt.Sprintf("its exponent is %d, not %d", key.E, Exponent)
	case len(key.Primes) != 2 || key.Primes[0].BitLen() != bits/2 || key.Primes[1].BitLen() != bits/2:
		return -1, "its primes do not have half its length each"
	}
	return size, ""
}

// join makes what batches need.
func (s *state) join(kernel Kernel, key *rsa.PrivateKey, size int) error {
	// The precomputed values of the caller's key are not trusted.
	own := &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: key.Primes}
	own.Precompute()
	if own.Precomputed.Qinv == nil {
		return errors.New("its numbers do not belong together")
	}
	numbers, err := kernel.NewNumbers(own)
	if err != nil {
		return err
	}
	s.size, s.numbers = size, numbers
	s.modulus = key.N.FillBytes(make([]byte, Sizes[size]/8))
	s.blinding = newBlinding(key.N)
	return nil
}

// use reports whether the key is open. The caller calls release.
func (s *state) use() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.users++
	return true
}

// hold adds a user to a key that has one.
func (s *state) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

func (s *state) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.wipeWhenUnused()
}

func (s *state) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.wipeWhenUnused()
}

// wipeWhenUnused is called with the lock held.
func (s *state) wipeWhenUnused() {
	if !s.closed || s.users > 0 {
		return
	}
	s.single.Close() // always succeeds
	if s.numbers != nil {
		s.numbers.Close()
		s.blinding.wipe()
	}
}

// Public returns the *rsa.PublicKey, which must not be changed.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign is SignContext without a context.
func (k *Key) Sign(_ io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, options)
}

// SignContext signs a SHA-256 digest. The options are those of [rsapad.SchemeOf].
func (k *Key) SignContext(ctx context.Context, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	return rsapad.Sign(private{ctx, k}, k.last, digest, options)
}

// Decrypt is DecryptContext without a context.
func (k *Key) Decrypt(_ io.Reader, ciphertext []byte, options crypto.DecrypterOpts) ([]byte, error) {
	return k.DecryptContext(context.Background(), ciphertext, options)
}

// DecryptContext decrypts RSA-OAEP. The options are those of [rsapad.Decrypt]. Only rsa.ErrDecryption
// concerns the message.
func (k *Key) DecryptContext(ctx context.Context, ciphertext []byte, options crypto.DecrypterOpts) ([]byte, error) {
	return rsapad.Decrypt(private{ctx, k}, k.last, ciphertext, options)
}

// Close wipes the key, after the operations that run now. Later ones return [ErrClosed]. Closing again
// does nothing.
func (k *Key) Close() error {
	k.state.close()
	return nil
}

// private is the bare operation of a key, for one caller.
type private struct {
	ctx context.Context
	key *Key
}

func (p private) Raw(out, in []byte) error {
	defer runtime.KeepAlive(p.key) // its cleanup would close it while the operation waits
	s := p.key.state
	if !s.use() {
		return ErrClosed
	}
	defer s.release()
	if s.size < 0 {
		return s.single.Raw(out, in)
	}
	return p.key.engine.perform(p.ctx, &operation{
		class: class(s.size, true), key: s, modulus: s.modulus, single: s.single,
	}, out, in)
}

// PublicKey is an RSA public key. It is safe for concurrent use.
type PublicKey struct {
	engine  *Engine
	public  *rsa.PublicKey
	last    []byte // as in Key
	modulus []byte
	single  Single
	size    int // as in state
}

// NewPublicKey imports a key of 2048 to 4096 bits.
func (e *Engine) NewPublicKey(key *rsa.PublicKey) (*PublicKey, error) {
	single, err := e.config.Public(key) // which checks the key
	if err != nil {
		return nil, err
	}
	own := &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}
	k := &PublicKey{engine: e, public: own, last: rsapad.LessOne(own.N), modulus: own.N.Bytes(), single: single,
		size: slices.Index(Sizes[:], own.N.BitLen())}
	if own.E != Exponent {
		k.size = -1
	}
	return k, nil
}

// Public returns the *rsa.PublicKey, which must not be changed.
func (k *PublicKey) Public() *rsa.PublicKey { return k.public }

// Raw performs the bare operation on a number below the modulus.
func (k *PublicKey) Raw(out, in []byte) error {
	if k.size < 0 {
		return k.single.Raw(out, in)
	}
	o := &operation{class: class(k.size, false), modulus: k.modulus, single: k.single}
	return k.engine.perform(context.Background(), o, out, in)
}

// EncryptOAEP encrypts as [rsapad.Encrypt] does.
func (k *PublicKey) EncryptOAEP(hash crypto.Hash, message []byte) ([]byte, error) {
	return rsapad.Encrypt(k, k.last, hash, message)
}

// Verify checks a signature of a SHA-256 digest, with the options of [Key.SignContext]. The error for a bad
// signature is rsa.ErrVerification, once OpenSSL has found the same.
func (k *PublicKey) Verify(digest, signature []byte, options crypto.SignerOpts) error {
	err := rsapad.Verify(k, k.last, digest, signature, options)
	if err != rsa.ErrVerification || k.size < 0 {
		return err
	}
	again := rsapad.Verify(k.single, k.last, digest, signature, options)
	if again == nil {
		k.engine.countWrong()
	}
	return again
}

// Close frees the key. No operation may begin later.
func (k *PublicKey) Close() error { return k.single.Close() }
