package interop

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
)

// This file makes tokens with the standard library alone, so that tests can use tokens that
// no JOSE library would write.

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// rawJWS signs the text "head.payload", whatever it contains.
func rawJWS(t testing.TB, head, payload string, key *rsa.PrivateKey) string {
	t.Helper()
	digest := sha256.Sum256([]byte(head + "." + payload))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return head + "." + payload + "." + b64(signature)
}

// content is the content of a JWE, and how rawJWE encrypts it.
type content struct {
	cek, iv      []byte
	encryptedKey []byte // replaces cek
	plaintext    []byte
}

// encryptCEK encrypts any bytes as a content encryption key with RSA-OAEP-256.
func encryptCEK(t testing.TB, cek []byte, key *rsa.PublicKey) []byte {
	t.Helper()
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key, cek, nil)
	if err != nil {
		t.Fatal(err)
	}
	return encrypted
}

// parts returns the last two parts before encoding; head is the additional data.
func (c content) parts(t testing.TB, head string) (ciphertext, tag []byte) {
	t.Helper()
	block, err := aes.NewCipher(c.cek)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(c.iv))
	if err != nil {
		t.Fatal(err)
	}
	sealed := aead.Seal(nil, c.iv, c.plaintext, []byte(head))
	return sealed[:len(c.plaintext)], sealed[len(c.plaintext):]
}

func (c content) rawJWE(t testing.TB, head string) string {
	t.Helper()
	ciphertext, tag := c.parts(t, head)
	return join(head, c.encryptedKey, c.iv, ciphertext, tag)
}

func join(head string, parts ...[]byte) string {
	for _, p := range parts {
		head += "." + b64(p)
	}
	return head
}

const rsaOAEP256Header = `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`

const maxToken = 64 << 20

// decrypt is the outer half of our codec, with all algorithms of the table.
func decrypt(token string, key crypto.Decrypter) ([]byte, error) {
	e, err := jose.ParseEncrypted(nil, []byte(token), maxToken, alg.KeyEncryptions, alg.Contents)
	if err != nil {
		return nil, err
	}
	plaintext, _, err := e.Decrypt([]crypto.Decrypter{key})
	return plaintext, err
}

// verify is the inner half.
func verify(token string, key *rsa.PublicKey) ([]byte, error) {
	s, err := jose.ParseSigned([]byte(token), []*alg.Signature{alg.RS256})
	if err != nil {
		return nil, err
	}
	payload, _, err := s.Verify([]alg.PublicKey{{PublicKey: key}})
	return payload, err
}

// faultOf returns the code of a refusal by the codec, or "".
func faultOf(err error) fault.Code {
	var e *jose.Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}

// selfSigned is a certificate for x5c members.
func selfSigned(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "interop"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
