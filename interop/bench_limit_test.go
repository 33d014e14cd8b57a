package interop

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/sealane/sealane/internal/rsabatch"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// BenchmarkLimit measures the operations that a message cannot do without.
//
// bulk is Go's SHA-256 and AES-256-GCM over the same bytes as in a message: the base64url
// text of the payload, which is signed and encrypted. It works in one existing buffer. raw
// is the same over the payload itself, which no nested token can achieve.
//
// rsa are the operations alone, by internal/libcrypto and by crypto/rsa, and in full batches of crypto_mb, with
// blinding and the check of each result.
func BenchmarkLimit(b *testing.B) {
	for _, size := range benchSizes {
		payload := benchPayload(b, size.name, size.n)
		text := make([]byte, base64.RawURLEncoding.EncodedLen(len(payload)))
		base64.RawURLEncoding.Encode(text, payload)
		for _, data := range []struct {
			name string
			is   []byte
		}{{"bulk", text}, {"raw", payload}} {
			b.Run(fmt.Sprintf("%s=seal/size=%s", data.name, size.name), func(b *testing.B) { limitSeal(b, data.is) })
			b.Run(fmt.Sprintf("%s=open/size=%s", data.name, size.name), func(b *testing.B) { limitOpen(b, data.is) })
		}
	}
	for _, bits := range benchBits {
		limitRSA(b, bits, "libcrypto", alike(opensslKey))
		limitRSA(b, bits, "go", alike(goKey))
		limitRSA(b, bits, "batches", batchKey)
	}
}

// limitKeys imports a private key and its public key. The operations are nil for those of crypto/rsa.
type limitKeys func(*rsa.PrivateKey) (keyring.Private, keyring.PublicOps, error)

// alike imports the public key into the implementation of the private one.
func alike(private func(*rsa.PrivateKey) (keyring.Private, error)) limitKeys {
	return func(key *rsa.PrivateKey) (keyring.Private, keyring.PublicOps, error) {
		imported, err := private(key)
		if err != nil {
			return nil, nil, err
		}
		operations, err := operationsLike(imported, &key.PublicKey)
		return imported, operations, err
	}
}

// batchKey imports both into the engine with batches.
func batchKey(key *rsa.PrivateKey) (keyring.Private, keyring.PublicOps, error) {
	path := os.Getenv("SEALANE_TEST_CRYPTO_MB")
	if path == "" {
		return nil, nil, errNoOpenSSL
	}
	engine, err := rsaengine.Select(rsaengine.Multibuffer + ":" + path)
	if err != nil {
		return nil, nil, err
	}
	private, err := engine.PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	public, err := engine.PublicOps(&key.PublicKey)
	return private, public, err
}

func limitGCM(b *testing.B) (aead cipher.AEAD, iv []byte) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	if aead, err = cipher.NewGCM(block); err != nil {
		b.Fatal(err)
	}
	return aead, make([]byte, aead.NonceSize())
}

// limitSeal encrypts its own output repeatedly, which takes the same time.
func limitSeal(b *testing.B, data []byte) {
	aead, iv := limitGCM(b)
	buffer := append(make([]byte, 0, len(data)+aead.Overhead()), data...)
	b.ReportAllocs()
	for b.Loop() {
		sha256.Sum256(buffer)
		aead.Seal(buffer[:0], iv, buffer, nil)
	}
}

func limitOpen(b *testing.B, data []byte) {
	aead, iv := limitGCM(b)
	sealed := aead.Seal(nil, iv, data, nil)
	buffer := make([]byte, 0, len(data))
	b.ReportAllocs()
	for b.Loop() {
		opened, err := aead.Open(buffer, iv, sealed, nil)
		if err != nil {
			b.Fatal(err)
		}
		sha256.Sum256(opened)
	}
}

func limitRSA(b *testing.B, bits int, by string, keys limitKeys) {
	plain := benchKeys(b, bits)[provider]
	public := &plain.PublicKey
	digest := sha256.Sum256([]byte("limit"))
	signature, err := rsa.SignPKCS1v15(nil, plain, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	cek := make([]byte, 32)
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, cek, nil)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() error) {
		b.Run(fmt.Sprintf("rsa=%d/op=%s/by=%s", bits, name, by), func(b *testing.B) {
			b.ReportAllocs()
			if by == "batches" { // as many at once as fill every batch
				b.SetParallelism(4 * rsabatch.Slots)
				used := processorTime()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := f(); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(processorTime()-used)/float64(b.N), "cpu-ns/op")
				return
			}
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	key, operations, err := keys(plain)
	if errors.Is(err, errNoOpenSSL) {
		b.Log(err)
		return
	}
	if err != nil {
		b.Fatal(err)
	}
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}
	run("sign", func() error {
		_, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	})
	run("decrypt", func() error {
		_, err := key.Decrypt(rand.Reader, encrypted, options)
		return err
	})
	if operations != nil {
		run("encrypt", func() error {
			_, err := operations.EncryptOAEP(crypto.SHA256, cek)
			return err
		})
		run("verify", func() error { return operations.Verify(digest[:], signature, crypto.SHA256) })
		return
	}
	run("encrypt", func() error {
		_, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, cek, nil)
		return err
	})
	run("verify", func() error { return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) })
}
