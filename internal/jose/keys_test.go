package jose_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// TestOneErrorForEveryDecryptionFailure changes each part that only the key can check, and
// expects the same kind of error and no plaintext.
func TestOneErrorForEveryDecryptionFailure(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, enc := range alg.Contents {
		p := strings.Split(string(encrypt(t, []byte("some content"), jose.Header{Enc: enc.Name}, &key.PublicKey)), ".")
		oneErrorForEveryDecryptionFailure(t, key, enc, p)
	}
}

func oneErrorForEveryDecryptionFailure(t *testing.T, key *rsa.PrivateKey, enc *alg.Content, p []string) {
	t.Helper()
	for part := 1; part < 5; part++ {
		raw, err := base64.RawURLEncoding.DecodeString(p[part])
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		changed := append([]string{}, p...)
		changed[part] = base64.RawURLEncoding.EncodeToString(raw)
		decryptFails(t, strings.Join(changed, "."), key)
	}
	other := b64(`{"enc":"` + enc.Name + `","alg":"RSA-OAEP-256"}`) // another text of an equal header
	decryptFails(t, strings.Join(append([]string{other}, p[1:]...), "."), key)
	decryptFails(t, strings.Join(p, "."), testkey.RSA(t, "other", 2048))
	decryptFails(t, strings.Join(p, "."), testkey.RSA(t, "other", 3072))
	decryptFails(t, strings.Join(p, "."))
}

func decryptFails(t *testing.T, token string, keys ...*rsa.PrivateKey) {
	t.Helper()
	e, err := jose.ParseEncrypted(nil, []byte(token), maxToken, jweAlgs, alg.Contents)
	if err != nil {
		t.Fatal(err)
	}
	var list []crypto.Decrypter
	for _, k := range keys {
		list = append(list, k)
	}
	plaintext, which, err := e.Decrypt(list)
	var je *jose.Error
	if !errors.As(err, &je) || je.Kind != jose.Decryption || plaintext != nil || which != -1 {
		t.Errorf("got %d bytes by key %d and %v", len(plaintext), which, err)
	}
}

// broken is a key whose store does not answer.
type broken struct{ *rsa.PrivateKey }

var errGone = errors.New("the HSM is gone")

func (broken) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, errGone }
func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)       { return nil, errGone }

func TestBrokenKeyIsNoDecryptionFailure(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	gone := broken{testkey.RSA(t, "other", 2048)}
	token := encrypt(t, []byte("content"), jose.Header{}, &key.PublicKey)
	open := func(keys ...crypto.Decrypter) (string, error) {
		e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, encs)
		if err != nil {
			t.Fatal(err)
		}
		plaintext, _, err := e.Decrypt(keys)
		return string(plaintext), err
	}
	if got, err := open(gone, key); got != "content" || err != nil {
		t.Errorf("another key opens it: %q, %v", got, err)
	}
	var je *jose.Error
	if _, err := open(gone); !errors.As(err, &je) || je.Kind != jose.Key || !errors.Is(err, errGone) {
		t.Errorf("error is %v", err)
	}
	head, err := jose.ProtectSigned(jose.Header{Alg: alg.RS256.Name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jose.Sign(nil, nil, head, gone); !errors.As(err, &je) || je.Kind != jose.Key {
		t.Errorf("error is %v", err)
	}
}

func TestSignatures(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	other := testkey.RSA(t, "other", 2048)
	jws := string(sign(t, []byte(`{"amount":1}`), key))
	s := strings.Split(jws, ".")
	for name, token := range map[string]string{
		"payload changed":   s[0] + "." + b64(`{"amount":2}`) + "." + s[2],
		"header changed":    b64(`{"alg":"RS256","kid":"k2"}`) + "." + s[1] + "." + s[2],
		"signature changed": s[0] + "." + s[1] + "." + strings.Repeat("A", 342),
		"by another key":    string(sign(t, []byte(`{"amount":1}`), other)),
	} {
		parsed, err := jose.ParseSigned([]byte(token), jwsAlgs)
		if err != nil {
			t.Fatal(name, err)
		}
		payload, which, err := parsed.Verify(publics(&key.PublicKey))
		var je *jose.Error
		if !errors.As(err, &je) || je.Kind != jose.Signature || payload != nil || which != -1 {
			t.Errorf("%s: %d bytes by key %d, %v", name, len(payload), which, err)
		}
	}
}

// TestNothingRepeats seals the same content many times: no encrypted key, IV, ciphertext or
// tag may repeat. TestMillionFreshKeys does so without RSA.
func TestNothingRepeats(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	seen := map[string]bool{}
	for i := range 2_000 {
		h := jose.Header{Enc: alg.Contents[i%len(alg.Contents)].Name}
		p := strings.Split(string(encrypt(t, []byte("the same content"), h, &key.PublicKey)), ".")
		for _, part := range p[1:] {
			if seen[part] {
				t.Fatalf("a part came twice: %s", part)
			}
			seen[part] = true
		}
	}
}

func publics(keys ...*rsa.PublicKey) []alg.PublicKey {
	var list []alg.PublicKey
	for _, k := range keys {
		list = append(list, alg.PublicKey{PublicKey: k})
	}
	return list
}

// TestNoOracleWhileAKeyIsOut: while one of several keys cannot be used, a failed message
// has one outcome, whether or not its encrypted key fits another key.
func TestNoOracleWhileAKeyIsOut(t *testing.T) {
	usable, out := testkey.RSA(t, "usable", 2048), broken{testkey.RSA(t, "out", 2048)}
	fits := testkey.Encrypt(t, []byte("content"), &usable.PublicKey)
	changed := bytes.Clone(fits)
	last := len(changed) - 2
	changed[last] = map[bool]byte{true: 'A', false: 'B'}[changed[last] == 'B']
	stranger := testkey.Encrypt(t, []byte("content"), &testkey.RSA(t, "stranger", 2048).PublicKey)
	for name, c := range map[string]struct {
		token []byte
		fine  bool
	}{"fits": {fits, true}, "fits, changed": {changed, false}, "of a stranger": {stranger, false}} {
		for _, keys := range [][]crypto.Decrypter{{usable, out}, {out, usable}} {
			e, err := jose.ParseEncrypted(nil, c.token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256},
				[]*alg.Content{alg.A256GCM})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = e.Decrypt(keys)
			var je *jose.Error
			if c.fine != (err == nil) ||
				!c.fine && (!errors.As(err, &je) || je.Kind != jose.Key || !errors.Is(err, errGone)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
