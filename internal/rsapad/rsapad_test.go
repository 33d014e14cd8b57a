package rsapad

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
)

// private and public are the bare operations of a key in math/big.
type (
	private struct{ *rsa.PrivateKey }
	public  struct{ *rsa.PublicKey }
)

func (k private) Raw(out, in []byte) error {
	x := new(big.Int).SetBytes(in)
	x.Exp(x, k.D, k.N).FillBytes(out)
	return nil
}

func (k public) Raw(out, in []byte) error {
	x := new(big.Int).SetBytes(in)
	x.Exp(x, big.NewInt(int64(k.E)), k.N).FillBytes(out)
	return nil
}

// TestAgreesWithGo: crypto/rsa accepts what this package makes, and the other way round, with moduli
// that end at, before and after the limit of a byte.
func TestAgreesWithGo(t *testing.T) {
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	digest := sha256.Sum256([]byte("message"))
	for _, bits := range []int{2048, 2049, 2055} {
		key := testkey.RSA(t, "rsapad", bits)
		last := LessOne(key.N)
		signature, err := Sign(private{key}, last, digest[:], crypto.SHA256)
		if err != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) != nil {
			t.Errorf("%d, RS256: %v", bits, err)
		}
		salted, err := Sign(private{key}, last, digest[:], pss)
		if err != nil || rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], salted, pss) != nil {
			t.Errorf("%d, PS256: %v", bits, err)
		}
		again, err := Sign(private{key}, last, digest[:], pss)
		if err != nil || bytes.Equal(again, salted) {
			t.Errorf("%d: a salt came twice, %v", bits, err)
		}
		for options, s := range map[crypto.SignerOpts][]byte{crypto.SHA256: signature, pss: salted} {
			if err := Verify(public{&key.PublicKey}, last, digest[:], s, options); err != nil {
				t.Errorf("%d, %T: %v", bits, options, err)
			}
			s[len(s)/2] ^= 1
			if err := Verify(public{&key.PublicKey}, last, digest[:], s, options); err != rsa.ErrVerification {
				t.Errorf("%d, %T: a changed signature: %v", bits, options, err)
			}
		}
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
			options := &rsa.OAEPOptions{Hash: hash}
			sealed, err := Encrypt(public{&key.PublicKey}, last, hash, []byte("key"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := key.Decrypt(nil, sealed, options); err != nil || string(got) != "key" {
				t.Errorf("%d, %v: %q, %v", bits, hash, got, err)
			}
			if got, err := Decrypt(private{key}, last, sealed, options); err != nil || string(got) != "key" {
				t.Errorf("%d, %v: %q, %v", bits, hash, got, err)
			}
		}
	}
}

// broken fails.
type broken struct{}

var errBroken = errors.New("broken")

func (broken) Raw(_, _ []byte) error { return errBroken }

// TestBrokenOperation: a key that fails is not a bad message.
func TestBrokenOperation(t *testing.T) {
	key := testkey.RSA(t, "rsapad", 2048)
	last, digest := LessOne(key.N), sha256.Sum256(nil)
	number := bytes.Repeat([]byte{1}, len(last))
	_, decryptErr := Decrypt(broken{}, last, number, &rsa.OAEPOptions{Hash: crypto.SHA256})
	_, encryptErr := Encrypt(broken{}, last, crypto.SHA256, nil)
	_, signErr := Sign(broken{}, last, digest[:], crypto.SHA256)
	verifyErr := Verify(broken{}, last, digest[:], number, crypto.SHA256)
	for _, err := range []error{decryptErr, encryptErr, signErr, verifyErr} {
		if err != errBroken {
			t.Errorf("got %v", err)
		}
	}
}

// TestRefusedBlockIsWiped: nothing of a decrypted block stays in memory.
func TestRefusedBlockIsWiped(t *testing.T) {
	em := bytes.Repeat([]byte{5}, 256)
	if _, ok := DecodeOAEP(em, crypto.SHA256); ok || !bytes.Equal(em, make([]byte, 256)) {
		t.Error("a refused block is not wiped")
	}
}
