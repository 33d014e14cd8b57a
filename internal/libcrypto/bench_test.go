//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"testing"
)

type privateKey interface {
	crypto.Signer
	crypto.Decrypter
}

func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256(nil)
	each(b, func(b *testing.B, key privateKey, _ *rsa.PrivateKey) func() error {
		return func() error {
			_, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			return err
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}
	each(b, func(b *testing.B, key privateKey, private *rsa.PrivateKey) func() error {
		c := encrypt(b, crypto.SHA256, private, make([]byte, 32))
		return func() error {
			_, err := key.Decrypt(rand.Reader, c, options)
			return err
		}
	})
}

func each(b *testing.B, prepare func(*testing.B, privateKey, *rsa.PrivateKey) func() error) {
	for _, bits := range sizes {
		for _, impl := range []string{"go", "openssl"} {
			own, private := imported(b, bits)
			var key privateKey = own
			if impl == "go" {
				key = private
			}
			run := prepare(b, key, private)
			b.Run(fmt.Sprintf("impl=%s/rsa=%d/serial", impl, bits), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
			for _, goroutines := range []int{1, 100} { // for each processor
				b.Run(fmt.Sprintf("impl=%s/rsa=%d/parallel=%d", impl, bits, goroutines), func(b *testing.B) {
					b.SetParallelism(goroutines)
					b.RunParallel(func(p *testing.PB) {
						for p.Next() {
							if err := run(); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
			}
		}
	}
}
