package interop

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
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

// benchLanes returns the two ends of one lane, with private keys by one of the
// functions above.
func benchLanes(t testing.TB, bits int,
	private func(*rsa.PrivateKey) (keyring.Private, error)) (client, server *sealane.Lane, err error) {
	dialect, err := profile.Load("riskos")
	if err != nil {
		return nil, nil, err
	}
	keys := benchKeys(t, bits)
	lane := func(side sealane.Side, ours, theirs string) *sealane.Lane {
		key, keyErr := private(keys[ours])
		if keyErr != nil {
			err = keyErr
			return nil
		}
		operations, opErr := operationsLike(key, &keys[theirs].PublicKey)
		ring, ringErr := keyring.New(keyring.Key{
			State:     keyring.Active,
			ID:        theirs,
			Public:    &keys[theirs].PublicKey,
			PublicOps: operations,
		})
		l, newErr := sealane.New(sealane.Config{
			Profile:    dialect,
			Side:       side,
			MaxPayload: benchMaxPayload,
			Ours:       testkey.Ours(t, ours, key),
			Theirs:     ring,
		})
		err = errors.Join(err, opErr, ringErr, newErr)
		return l
	}
	client, server = lane(sealane.ClientSide, customer, provider), lane(sealane.ServerSide, provider, customer)
	return client, server, err
}

func benchSealane(t testing.TB, bits int, private func(*rsa.PrivateKey) (keyring.Private, error)) (codec, error) {
	client, server, err := benchLanes(t, bits, private)
	if err != nil {
		return codec{}, err
	}
	ctx := context.Background()
	return codec{
		seal: func(payload []byte) (token, error) {
			sealed, err := client.Seal(ctx, payload)
			return token{data: sealed}, err
		},
		open: func(t token) ([]byte, error) {
			m, err := server.OpenMessage(ctx, t.data)
			if err != nil {
				return nil, err
			}
			return m.Payload(), nil
		},
	}, nil
}

// benchGoJOSE keeps the signer and the encrypter, and uses the parsers for compact tokens
// only.
func benchGoJOSE(t testing.TB, bits int) (codec, error) {
	keys := benchKeys(t, bits)
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.RS256,
		Key: gojose.JSONWebKey{Key: keys[customer], KeyID: customer}}, nil)
	if err != nil {
		return codec{}, err
	}
	encrypter, err := gojose.NewEncrypter(gojose.A256GCM,
		gojose.Recipient{Algorithm: gojose.RSA_OAEP_256, Key: &keys[provider].PublicKey}, nil)
	if err != nil {
		return codec{}, err
	}
	keyAlgs, encs := []gojose.KeyAlgorithm{gojose.RSA_OAEP_256}, []gojose.ContentEncryption{gojose.A256GCM}
	signAlgs := []gojose.SignatureAlgorithm{gojose.RS256}
	return codec{
		seal: func(payload []byte) (token, error) {
			signed, err := signer.Sign(payload)
			if err != nil {
				return token{}, err
			}
			inner, err := signed.CompactSerialize()
			if err != nil {
				return token{}, err
			}
			encrypted, err := encrypter.Encrypt([]byte(inner))
			if err != nil {
				return token{}, err
			}
			text, err := encrypted.CompactSerialize()
			return token{text: text}, err
		},
		open: func(t token) ([]byte, error) {
			encrypted, err := gojose.ParseEncryptedCompact(t.text, keyAlgs, encs)
			if err != nil {
				return nil, err
			}
			inner, err := encrypted.Decrypt(keys[provider])
			if err != nil {
				return nil, err
			}
			signed, err := gojose.ParseSignedCompact(string(inner), signAlgs)
			if err != nil {
				return nil, err
			}
			return signed.Verify(&keys[customer].PublicKey)
		},
	}, nil
}

// benchJWX keeps the options, which is all that jwx allows to keep. bench.sh builds it with
// its SIMD base64 (the tag jwx_asmbase64), which makes it faster.
func benchJWX(t testing.TB, bits int) (codec, error) {
	keys := benchKeys(t, bits)
	inner := jws.NewHeaders()
	if err := inner.Set(jws.KeyIDKey, customer); err != nil {
		return codec{}, err
	}
	sign := []jws.SignOption{jws.WithKey(jwa.RS256(), keys[customer], jws.WithProtectedHeaders(inner))}
	encrypt := []jwe.EncryptOption{jwe.WithKey(jwa.RSA_OAEP_256(), &keys[provider].PublicKey),
		jwe.WithContentEncryption(jwa.A256GCM())}
	decrypt := jwe.WithKey(jwa.RSA_OAEP_256(), keys[provider])
	verify := []jws.VerifyOption{jws.WithKey(jwa.RS256(), &keys[customer].PublicKey), jws.WithCompact()}
	return codec{
		seal: func(payload []byte) (token, error) {
			signed, err := jws.Sign(payload, sign...)
			if err != nil {
				return token{}, err
			}
			sealed, err := jwe.Encrypt(signed, encrypt...)
			return token{data: sealed}, err
		},
		open: func(t token) ([]byte, error) {
			m := jwe.NewMessage()
			signed, err := jwe.Decrypt(t.data, decrypt, jwe.WithMessage(m))
			if err != nil {
				return nil, err
			}
			// jwx takes the content encryption algorithm from the message.
			if enc, ok := m.ProtectedHeaders().ContentEncryption(); !ok || enc != jwa.A256GCM() {
				return nil, fmt.Errorf("content encryption is %v", enc)
			}
			return jws.Verify(signed, verify...)
		},
	}, nil
}

// TestBenchCodecs checks that all implementations do the same: each opens what each seals.
// It also writes the tokens for bench.sh.
func TestBenchCodecs(t *testing.T) {
	payload := benchPayload(t, "1KiB", 1<<10)
	ready := map[string]codec{}
	for _, c := range codecs {
		made, err := c.make(t, 2048)
		if errors.Is(err, errNoOpenSSL) {
			t.Log(err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		ready[c.name] = made
	}
	for sealer, s := range ready {
		sealed, err := s.seal(payload)
		if err != nil {
			t.Fatal(sealer, err)
		}
		for opener, o := range ready {
			if got, err := o.open(sealed.both()); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s does not open what %s sealed: %v", opener, sealer, err)
			}
		}
	}
	if benchDir == "" {
		return
	}
	for _, bits := range benchBits {
		c, err := benchSealane(t, bits, goKey)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range benchSizes {
			sealed, err := c.seal(benchPayload(t, size.name, size.n))
			if err == nil {
				err = os.WriteFile(filepath.Join(benchDir, fmt.Sprintf("token-%d-%s", bits, size.name)), sealed.data,
					0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
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
