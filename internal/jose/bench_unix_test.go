//go:build unix

package jose_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// noRSA replaces a key, at no cost, so that only the codec is measured. It decrypts to the
// last content encryption key that it encrypted.
type noRSA struct {
	public *rsa.PublicKey
	cek    []byte
}

func (n *noRSA) Public() crypto.PublicKey { return n.public }

func (n *noRSA) EncryptOAEP(_ crypto.Hash, message []byte) ([]byte, error) {
	n.cek = append(n.cek[:0], message...)
	return make([]byte, n.public.Size()), nil
}

func (n *noRSA) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return bytes.Clone(n.cek), nil
}

func (n *noRSA) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, n.public.Size()), nil
}

func (*noRSA) Verify(_, _ []byte, _ crypto.SignerOpts) error { return nil }

// BenchmarkCodec seals and opens without RSA. In addition to the elapsed time it reports
// the processor time (cpu-ns/msg), which depends less on other load.
func BenchmarkCodec(b *testing.B) {
	for _, enc := range alg.Contents {
		for _, size := range []int{1 << 10, 100 << 10, 10 << 20} {
			seal, open := codecWithoutRSA(b, enc, bytes.Repeat([]byte("x"), size))
			open() // what seal made
			b.Run(fmt.Sprintf("op=open/enc=%s/size=%d", enc, size), func(b *testing.B) { measure(b, open) })
			b.Run(fmt.Sprintf("op=seal/enc=%s/size=%d", enc, size), func(b *testing.B) { measure(b, seal) })
		}
	}
}

func codecWithoutRSA(b *testing.B, enc *alg.Content, payload []byte) (seal, open func()) {
	keys := &noRSA{public: &testkey.Fixed().PublicKey}
	public := alg.PublicKey{PublicKey: keys.public, By: keys}
	signHead, err := jose.ProtectSigned(jose.Header{Alg: alg.RS256.Name})
	if err != nil {
		b.Fatal(err)
	}
	head, err := jose.ProtectEncrypted(jose.Header{Alg: alg.RSAOAEP256.Name, Enc: enc.Name})
	if err != nil {
		b.Fatal(err)
	}
	var token []byte
	seal = func() {
		prefix, place := jose.Reserve(nil, jose.SignedLen(len(payload), signHead, keys.public), head, public)
		signed, err := jose.Sign(place, payload, signHead, keys)
		if err != nil {
			b.Fatal(err)
		}
		if token, err = jose.Encrypt(prefix, signed, head, public); err != nil {
			b.Fatal(err)
		}
	}
	seal()
	open = func() {
		e, err := jose.ParseEncrypted(nil, token, 64<<20, jweAlgs, []*alg.Content{enc})
		if err != nil {
			b.Fatal(err)
		}
		content, _, err := e.Decrypt([]crypto.Decrypter{keys})
		if err != nil {
			b.Fatal(err)
		}
		s, err := jose.ParseSigned(content, jwsAlgs)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.Verify([]alg.PublicKey{public}); err != nil {
			b.Fatal(err)
		}
	}
	return seal, open
}

func measure(b *testing.B, f func()) {
	b.ReportAllocs()
	start, n := processorTime(b), 0
	for b.Loop() {
		f()
		n++
	}
	b.ReportMetric(float64(processorTime(b)-start)/float64(n), "cpu-ns/msg")
}

func processorTime(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
