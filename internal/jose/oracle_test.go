package jose_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// sealedUnder returns a JWE whose content is encrypted with cek, whatever its encrypted key
// holds.
func sealedUnder(t *testing.T, enc *alg.Content, cek, encryptedKey, plaintext []byte) []byte {
	t.Helper()
	head := b64(`{"alg":"RSA-OAEP-256","enc":"` + enc.Name + `"}`)
	var iv [alg.MaxIV]byte
	place := append(make([]byte, 0, enc.IV+enc.CiphertextLen(len(plaintext))+enc.Tag), plaintext...)
	sealed, err := enc.Seal(cek, iv[:], place, []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	cut := len(sealed) - enc.Tag
	text := base64.RawURLEncoding.EncodeToString
	return []byte(head + "." + text(encryptedKey) + "." + text(iv[:enc.IV]) + "." + text(sealed[:cut]) + "." +
		text(sealed[cut:]))
}

// TestEveryFailureRunsTheCipher: whatever is wrong with the encrypted key, the content is
// still decrypted once, and with a key that nobody can know (RFC 7516, section 11.5). The
// caller's buffer shows it: a failed decryption overwrites the ciphertext; if there was
// none, the ciphertext is still there, and if the key was guessed, the plaintext is.
func TestEveryFailureRunsTheCipher(t *testing.T) {
	for _, enc := range alg.Contents {
		t.Run(enc.Name, func(t *testing.T) { everyFailureRunsTheCipher(t, enc) })
	}
}

func everyFailureRunsTheCipher(t *testing.T, enc *alg.Content) {
	key, other, large := testkey.RSA(t, "recipient", 2048), testkey.RSA(t, "other", 2048), testkey.RSA(t, "other",
		3072)
	oaep := func(cek []byte, to *rsa.PublicKey) []byte {
		got, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, cek, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	plaintext := bytes.Repeat([]byte("not for you "), 20)
	n := enc.CEK
	zeros, cek := make([]byte, n), bytes.Repeat([]byte{3}, n)
	all := []crypto.Decrypter{key}
	var keyFailed, tagFailed []error
	for _, c := range []struct {
		name                    string
		sealedWith, encryptedTo []byte
		keys                    []crypto.Decrypter
		into                    *[]error
	}{
		{"encrypted key of zeros, sealed under zeros", zeros, make([]byte, 256), all, &keyFailed},
		{"not below the modulus, sealed under zeros", zeros, bytes.Repeat([]byte{0xff}, 256), all, &keyFailed},
		{"to another key, sealed under zeros", zeros, oaep(cek, &other.PublicKey), all, &keyFailed},
		{"to another key, sealed under its content key", cek, oaep(cek, &other.PublicKey), all, &keyFailed},
		{"no bytes, sealed under zeros", zeros, oaep(nil, &key.PublicKey), all, &keyFailed},
		{"half the bytes, sealed under them and zeros", append(bytes.Clone(cek[:n/2]), zeros[:n/2]...),
			oaep(cek[:n/2], &key.PublicKey), all, &keyFailed},
		{"a byte less, sealed under them and a zero", append(bytes.Clone(cek[:n-1]), 0),
			oaep(cek[:n-1], &key.PublicKey), all, &keyFailed},
		{"twice the bytes, sealed under the first half", cek, oaep(append(bytes.Clone(cek), cek...), &key.PublicKey),
			all, &keyFailed},
		{"a byte more, sealed under the first ones", cek, oaep(append(bytes.Clone(cek), 3), &key.PublicKey), all,
			&keyFailed},
		{"two keys, neither opens", zeros, make([]byte, 256), []crypto.Decrypter{key, other}, &keyFailed},
		{"content key of zeros, sealed under another", cek, oaep(zeros, &key.PublicKey), all, &tagFailed},
		{"another content key", zeros, oaep(cek, &key.PublicKey), all, &tagFailed},
		{"no key of its size", zeros, make([]byte, 256), []crypto.Decrypter{large}, new([]error)},
		{"no key at all", zeros, make([]byte, 256), nil, new([]error)},
	} {
		length := enc.CiphertextLen(len(plaintext))
		buffer := make([]byte, enc.IV+length+enc.Tag)
		e, err := jose.ParseEncrypted(buffer, sealedUnder(t, enc, c.sealedWith, c.encryptedTo, plaintext), maxToken,
			jweAlgs, alg.Contents)
		if err != nil {
			t.Fatal(c.name, err)
		}
		content := buffer[enc.IV : enc.IV+length]
		if bytes.Equal(content, make([]byte, len(content))) {
			t.Fatal(c.name, ": the ciphertext is not in the caller's buffer")
		}
		got, which, err := e.Decrypt(c.keys)
		if err == nil || got != nil || which != -1 {
			t.Errorf("%s: %d bytes by key %d, %v", c.name, len(got), which, err)
		}
		// In FIPS mode the ciphertext is moved to the place of its IV before it is
		// decrypted.
		if !bytes.Equal(content, make([]byte, len(content))) &&
			!bytes.Equal(buffer[:len(content)], make([]byte, len(content))) {
			t.Errorf("%s: the buffer is not wiped", c.name)
		}
		*c.into = append(*c.into, err)
	}
	for _, list := range [][]error{keyFailed, tagFailed} {
		if len(slices.Compact(list)) != 1 {
			t.Errorf("failures of one class are not one value: %v", list)
		}
	}
}

// recorder replaces a partner's key. It needs no RSA, so that a million messages can be
// sealed.
type recorder struct{ keys [][32]byte }

func (r *recorder) EncryptOAEP(_ crypto.Hash, message []byte) ([]byte, error) {
	r.keys = append(r.keys, [32]byte(message))
	return make([]byte, 256), nil
}

func (*recorder) Verify(_, _ []byte, _ crypto.SignerOpts) error { return rsa.ErrVerification }

// TestMillionFreshKeys seals a million messages: no content encryption key and no
// initialization vector may repeat. Under the race detector it seals fewer.
func TestMillionFreshKeys(t *testing.T) {
	head, err := jose.ProtectEncrypted(jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name})
	if err != nil {
		t.Fatal(err)
	}
	by := &recorder{keys: make([][32]byte, 0, messages)}
	to := alg.PublicKey{PublicKey: &testkey.RSA(t, "recipient", 2048).PublicKey, By: by}
	ivs := make([][12]byte, 0, messages)
	var token []byte
	for range messages {
		if token, err = jose.Encrypt(token[:0], []byte("{}"), head, to); err != nil {
			t.Fatal(err)
		}
		p := bytes.Split(token, []byte("."))
		var iv [12]byte
		if got, err := base64.RawURLEncoding.Decode(iv[:], p[2]); got != len(iv) || err != nil {
			t.Fatal(got, err)
		}
		ivs = append(ivs, iv)
	}
	if len(by.keys) != messages {
		t.Fatalf("%d content encryption keys for %d messages", len(by.keys), messages)
	}
	if k := repeats(by.keys, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }); k != 0 {
		t.Errorf("%d content encryption keys came again", k)
	}
	if k := repeats(ivs, func(a, b [12]byte) int { return bytes.Compare(a[:], b[:]) }); k != 0 {
		t.Errorf("%d initialization vectors came again", k)
	}
}

func repeats[T comparable](list []T, compare func(a, b T) int) int {
	slices.SortFunc(list, compare)
	return len(list) - len(slices.Compact(list))
}
