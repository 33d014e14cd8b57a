package interop

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

// The benchmarks use nested RiskOS messages: RS256 in RSA-OAEP-256 and A256GCM, made by the
// customer for the provider. Before the clock starts, keys are parsed, and everything that
// a library allows to reuse is made. Each library takes and returns a token in its own
// form.
//
// bench.sh runs them next to the implementations in other languages, all with the keys,
// payloads and tokens in the folder that SEALANE_BENCH_DIR names: NAME-BITS.pem,
// payload-SIZE and token-BITS-SIZE. Without it, keys and payloads are made here.

const (
	customer = "customer"
	provider = "provider"
)

var (
	benchDir   = os.Getenv("SEALANE_BENCH_DIR")
	benchBits  = []int{2048, 3072, 4096}
	benchSizes = []struct {
		name string
		n    int
	}{{"1KiB", 1 << 10}, {"100KiB", 100 << 10}, {"10MiB", tenMiB}}
)

const benchMaxPayload = 64 << 20

// benchKeys returns the keys of both parties.
func benchKeys(t testing.TB, bits int) (of map[string]*rsa.PrivateKey) {
	t.Helper()
	of = map[string]*rsa.PrivateKey{}
	for _, name := range []string{customer, provider} {
		if benchDir == "" {
			of[name] = testkey.RSA(t, name, bits)
			continue
		}
		block, _ := pem.Decode(benchFile(t, fmt.Sprintf("%s-%d.pem", name, bits)))
		if block == nil {
			t.Fatalf("the key of %s is not PEM", name)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		of[name] = key.(*rsa.PrivateKey)
	}
	return of
}

func benchPayload(t testing.TB, name string, n int) []byte {
	t.Helper()
	if benchDir == "" {
		return bigPayload(name, n).data
	}
	data := benchFile(t, "payload-"+name)
	if len(data) != n {
		t.Fatalf("payload %s has %d bytes, not %d", name, len(data), n)
	}
	return data
}

func benchFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(benchDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// token has the form that a library takes and returns, and may have the other.
type token struct {
	data []byte
	text string
}

func (t token) both() token {
	if t.data == nil {
		t.data = []byte(t.text)
	}
	t.text = string(t.data)
	return t
}

// codec is one implementation, ready for repeated use.
type codec struct {
	seal func(payload []byte) (token, error)
	open func(token) (payload []byte, err error)
}

var errNoOpenSSL = errors.New("OpenSSL is not to be had")

// codecs lists all implementations. The error wraps errNoOpenSSL if OpenSSL is missing.
var codecs = []struct {
	name string
	make func(t testing.TB, bits int) (codec, error)
}{
	{"sealane", func(t testing.TB, bits int) (codec, error) { return benchSealane(t, bits, opensslKey) }},
	{"sealane-go", func(t testing.TB, bits int) (codec, error) { return benchSealane(t, bits, goKey) }},
	{"go-jose", benchGoJOSE},
	{"jwx", benchJWX},
}

func goKey(key *rsa.PrivateKey) (keyring.Private, error) { return key, nil }

func opensslKey(key *rsa.PrivateKey) (keyring.Private, error) {
	library, err := libcrypto.Load()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoOpenSSL, err)
	}
	return library.NewKey(key)
}

// operationsLike returns the operations of a partner's key in the engine of ours.
func operationsLike(ours keyring.Private, theirs *rsa.PublicKey) (keyring.PublicOps, error) {
	if _, fast := ours.(*libcrypto.Key); !fast {
		return nil, nil
	}
	library, err := libcrypto.Load()
	if err != nil {
		return nil, err
	}
	return library.NewPublicKey(theirs)
}

// eachCell runs f for every cell. The implementation changes fastest, so that other load on
// the machine affects all of them.
func eachCell(b *testing.B, f func(b *testing.B, c codec, payload []byte, sealed token)) {
	for _, bits := range benchBits {
		sealer, err := benchSealane(b, bits, goKey)
		if err != nil {
			b.Fatal(err)
		}
		for _, size := range benchSizes {
			payload := benchPayload(b, size.name, size.n)
			sealed, err := sealer.seal(payload)
			if err != nil {
				b.Fatal(err)
			}
			sealed = sealed.both()
			for _, c := range codecs {
				b.Run(fmt.Sprintf("impl=%s/rsa=%d/size=%s", c.name, bits, size.name), func(b *testing.B) {
					f(b, ready(b, c.make, bits), payload, sealed)
				})
			}
		}
	}
}

func ready(b *testing.B, make func(testing.TB, int) (codec, error), bits int) codec {
	c, err := make(b, bits)
	if errors.Is(err, errNoOpenSSL) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// warm is how often an operation runs before the clock starts: each benchmark begins with
// the heap collected, and the first messages would include its growth.
const warm = 4

func BenchmarkSeal(b *testing.B) {
	eachCell(b, func(b *testing.B, c codec, payload []byte, _ token) {
		for range warm {
			if _, err := c.seal(payload); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.seal(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	eachCell(b, func(b *testing.B, c codec, payload []byte, sealed token) {
		for range warm {
			if got, err := c.open(sealed); err != nil || !bytes.Equal(got, payload) {
				b.Fatal("not opened to what was sealed:", err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.open(sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
