package jose_test

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// counted counts the calls of Decrypt.
type counted struct {
	*rsa.PrivateKey
	asked *int
}

func (c counted) Decrypt(r io.Reader, ciphertext []byte, options crypto.DecrypterOpts) ([]byte, error) {
	*c.asked++
	return c.PrivateKey.Decrypt(r, ciphertext, options)
}

// TestEveryKeyIsTried: the time to open a token does not show which of several
// keys opened it, or whether one did.
func TestEveryKeyIsTried(t *testing.T) {
	names := []string{"recipient", "other", "third"}
	for right := range len(names) + 1 {
		to := "a stranger"
		if right < len(names) {
			to = names[right]
		}
		token := encrypt(t, []byte("content"), jose.Header{}, &testkey.RSA(t, to, 2048).PublicKey)
		e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, encs)
		if err != nil {
			t.Fatal(err)
		}
		asked := make([]int, len(names))
		var keys []crypto.Decrypter
		for i, name := range names {
			keys = append(keys, counted{testkey.RSA(t, name, 2048), &asked[i]})
		}
		got, which, err := e.Decrypt(keys)
		if opened := err == nil && which == right && string(got) == "content"; opened != (right < len(names)) {
			t.Errorf("to %s: opened by key %d, %v", to, which, err)
		}
		for i, n := range asked {
			if n != 1 {
				t.Errorf("to %s: key %d was asked %d times", to, i, n)
			}
		}
	}
}

// TestFaultsOfDecryption: the operator gets different reasons for the same error.
func TestFaultsOfDecryption(t *testing.T) {
	key, other, large := testkey.RSA(t, "recipient", 2048), testkey.RSA(t, "other", 2048), testkey.RSA(t, "other",
		3072)
	good := string(encrypt(t, []byte("content"), jose.Header{}, &key.PublicKey))
	tag := strings.LastIndex(good, ".") + 1
	first := "A"
	if good[tag] == 'A' {
		first = "B"
	}
	turned := good[:tag] + first + good[tag+1:]
	for name, c := range map[string]struct {
		token string
		keys  []crypto.Decrypter
		want  fault.Code
	}{
		"a changed tag":                    {turned, []crypto.Decrypter{key}, fault.OpenTag},
		"a changed tag, the second key":    {turned, []crypto.Decrypter{other, key}, fault.OpenTag},
		"another key":                      {good, []crypto.Decrypter{other}, fault.OpenKey},
		"a larger key":                     {good, []crypto.Decrypter{large}, fault.OpenKeySize},
		"a larger key and another":         {good, []crypto.Decrypter{large, other}, fault.OpenKey},
		"no key":                           {good, nil, fault.OpenKeySize},
		"a key that is not RSA":            {good, []crypto.Decrypter{notRSA{}}, fault.OpenKeySize},
		"a key that is not RSA, and other": {good, []crypto.Decrypter{notRSA{}, other}, fault.OpenKey},
	} {
		e, err := jose.ParseEncrypted(nil, []byte(c.token), maxToken, jweAlgs, encs)
		if err != nil {
			t.Fatal(name, err)
		}
		_, _, err = e.Decrypt(c.keys)
		var je *jose.Error
		if !errors.As(err, &je) || je.Kind != jose.Decryption || je.Fault != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type notRSA struct{ crypto.Decrypter }

func (notRSA) Public() crypto.PublicKey { return "not RSA" }

// brokenOps performs no operation.
type brokenOps struct{}

func (brokenOps) EncryptOAEP(crypto.Hash, []byte) ([]byte, error) { return nil, errGone }
func (brokenOps) Verify(_, _ []byte, _ crypto.SignerOpts) error   { return errGone }

// TestBrokenVerifierIsNoWrongSignature: if a key could not be used, it is not known whether
// the signature is valid. It is not the sender's fault.
func TestBrokenVerifierIsNoWrongSignature(t *testing.T) {
	key, other := testkey.RSA(t, "recipient", 2048), testkey.RSA(t, "other", 2048)
	usable := func(k *rsa.PrivateKey) alg.PublicKey { return alg.PublicKey{PublicKey: &k.PublicKey} }
	gone := func(k *rsa.PrivateKey) alg.PublicKey {
		return alg.PublicKey{PublicKey: &k.PublicKey, By: brokenOps{}}
	}
	for name, c := range map[string]struct {
		keys []alg.PublicKey
		kind jose.Kind
		ok   bool
	}{
		"alone":                   {[]alg.PublicKey{gone(key)}, jose.Key, false},
		"before a wrong key":      {[]alg.PublicKey{gone(key), usable(other)}, jose.Key, false},
		"behind a wrong key":      {[]alg.PublicKey{usable(other), gone(key)}, jose.Key, false},
		"before the right key":    {[]alg.PublicKey{gone(other), usable(key)}, 0, true},
		"behind the right key":    {[]alg.PublicKey{usable(key), gone(other)}, 0, true},
		"a wrong key, not broken": {[]alg.PublicKey{usable(other)}, jose.Signature, false},
		"broken, of another size": {[]alg.PublicKey{gone(testkey.RSA(t, "other", 3072))}, jose.Signature, false},
	} {
		s, err := jose.ParseSigned(sign(t, []byte("payload"), key), jwsAlgs)
		if err != nil {
			t.Fatal(err)
		}
		payload, which, err := s.Verify(c.keys)
		if c.ok {
			if err != nil || string(payload) != "payload" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var je *jose.Error
		if !errors.As(err, &je) || je.Kind != c.kind || errors.Is(err, errGone) != (c.kind == jose.Key) {
			t.Errorf("%s: %v", name, err)
		}
		if payload != nil || which != -1 {
			t.Errorf("%s: %d bytes by key %d", name, len(payload), which)
		}
	}
}
