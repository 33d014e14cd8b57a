package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	"github.com/sealane/sealane/sealhttp"
)

// The benchmarks use nested RiskOS messages: RS256 in RSA-OAEP-256 and A256GCM,
// made by the customer for the provider. Keys are parsed and whatever a library
// lets its user keep is made before the clock starts; each library takes and
// gives a token in the form that is its own.
//
// bench.sh runs them beside the implementations in other languages, all with
// the keys, payloads and tokens in the folder that SEALANE_BENCH_DIR names:
// NAME-BITS.pem, payload-SIZE and token-BITS-SIZE. Without it, keys and payloads
// are made here.

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

// benchKeys gives both parties' keys.
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

// token has the form that a library takes and gives, and may have the other.
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

// codec is one implementation, ready to be used again and again.
type codec struct {
	seal func(payload []byte) (token, error)
	open func(token) (payload []byte, err error)
}

var errNoOpenSSL = errors.New("OpenSSL is not to be had")

// codecs are all implementations. The error wraps errNoOpenSSL where that is
// what is missing.
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

// operationsLike has a partner's key in the same hands as ours.
func operationsLike(ours keyring.Private, theirs *rsa.PublicKey) (keyring.Operations, error) {
	if _, fast := ours.(*libcrypto.Key); !fast {
		return nil, nil
	}
	library, err := libcrypto.Load()
	if err != nil {
		return nil, err
	}
	return library.NewPublicKey(theirs)
}

// benchLanes gives the two ends of one lane, with private keys by one of the
// functions above.
func benchLanes(t testing.TB, bits int, private func(*rsa.PrivateKey) (keyring.Private, error)) (client, server *sealane.Lane, err error) {
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
		ring, ringErr := keyring.New(keyring.Key{ID: theirs, Public: &keys[theirs].PublicKey, Operations: operations})
		l, newErr := sealane.New(sealane.Config{Profile: dialect, Side: side, MaxPayload: benchMaxPayload, Ours: testkey.Ours(t, ours, key), Theirs: ring})
		err = errors.Join(err, opErr, ringErr, newErr)
		return l
	}
	client, server = lane(sealane.Client, customer, provider), lane(sealane.Server, provider, customer)
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
			m, err := server.Open(ctx, t.data)
			if err != nil {
				return nil, err
			}
			return m.Payload(), nil
		},
	}, nil
}

// benchGoJOSE keeps the signer and the encrypter, and takes the parsers that
// read nothing but compact tokens.
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

// benchJWX keeps the options, which is all that jwx lets one keep. bench.sh
// builds it with its SIMD base64 (the tag jwx_asmbase64), which helps it.
func benchJWX(t testing.TB, bits int) (codec, error) {
	keys := benchKeys(t, bits)
	inner := jws.NewHeaders()
	if err := inner.Set(jws.KeyIDKey, customer); err != nil {
		return codec{}, err
	}
	sign := []jws.SignOption{jws.WithKey(jwa.RS256(), keys[customer], jws.WithProtectedHeaders(inner))}
	encrypt := []jwe.EncryptOption{jwe.WithKey(jwa.RSA_OAEP_256(), &keys[provider].PublicKey), jwe.WithContentEncryption(jwa.A256GCM())}
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
			// jwx takes the content encryption from the message.
			if enc, ok := m.ProtectedHeaders().ContentEncryption(); !ok || enc != jwa.A256GCM() {
				return nil, fmt.Errorf("content encryption is %v", enc)
			}
			return jws.Verify(signed, verify...)
		},
	}, nil
}

// TestBenchCodecs holds what is measured to doing the same: each implementation
// opens what each seals. For bench.sh it also writes the tokens.
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
				err = os.WriteFile(filepath.Join(benchDir, fmt.Sprintf("token-%d-%s", bits, size.name)), sealed.data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// eachCell runs f for every cell. The implementation changes fastest, so that
// what disturbs the machine disturbs all of them.
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

// warm is how often an operation runs before the clock starts: each benchmark
// begins with the heap collected, and the first messages would pay for its growth.
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

// BenchmarkLimit measures what a message cannot do without.
//
// bulk is SHA-256 and AES-256-GCM, Go's own, over the same bytes as in a
// message: the base64url text of the payload, for that is what is signed and
// encrypted. It works in one buffer that is there already. raw is the same over
// the payload itself, which no nested token can reach.
//
// rsa are the operations alone, by internal/libcrypto and by crypto/rsa.
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
		limitRSA(b, bits, "libcrypto", opensslKey)
		limitRSA(b, bits, "go", goKey)
	}
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

// limitSeal encrypts over and over what it encrypted: the time is the same.
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

func limitRSA(b *testing.B, bits int, by string, private func(*rsa.PrivateKey) (keyring.Private, error)) {
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
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	key, err := private(plain)
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
	operations, err := operationsLike(key, public)
	if err != nil {
		b.Fatal(err)
	}
	if operations != nil {
		run("encrypt", func() error {
			_, err := operations.EncryptOAEP(crypto.SHA256, cek)
			return err
		})
		run("verify", func() error { return operations.Verify(digest[:], signature) })
		return
	}
	run("encrypt", func() error {
		_, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, cek, nil)
		return err
	})
	run("verify", func() error { return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) })
}

// BenchmarkHandler measures a sealed request and its sealed answer, 1 KiB each
// and RSA-2048, through a sealhttp.Handler: what the server opens and seals,
// and what surrounds it.
//
// path=inprocess calls the handler with a request and a writer that are made
// already: there is no socket and no parsing of HTTP. path=loopback has all of
// net/http's server, the kernel's loopback and, since the client is in the same
// process, a plain keep-alive http.Client that sends one body again and again
// and throws the answer away: it opens and seals nothing.
//
// clients=parallel keeps all of GOMAXPROCS busy: run it as
// "taskset -c 0" with -cpu 1 and as "taskset -c 0,1" with -cpu 2. (Without
// taskset, -cpu 1 is more than one core: a thread in OpenSSL's code does not
// count.)
func BenchmarkHandler(b *testing.B) {
	for _, impl := range []struct {
		name    string
		private func(*rsa.PrivateKey) (keyring.Private, error)
	}{{"sealane", opensslKey}, {"sealane-go", goKey}} {
		for _, path := range []string{"inprocess", "loopback"} {
			for _, clients := range []string{"serial", "parallel"} {
				b.Run(fmt.Sprintf("impl=%s/path=%s/clients=%s", impl.name, path, clients), func(b *testing.B) {
					client, server, err := benchLanes(b, 2048, impl.private)
					if errors.Is(err, errNoOpenSSL) {
						b.Skip(err)
					}
					if err != nil {
						b.Fatal(err)
					}
					x := newExchange(b, client, server)
					caller := x.inProcess
					if path == "loopback" {
						caller = x.loopback(b)
						b.SetParallelism(4) // a client also waits
					}
					x.measure(b, caller, clients == "parallel")
				})
			}
		}
	}
}

// exchange is one sealed request and what serves it.
type exchange struct {
	client  *sealane.Lane
	handler http.Handler
	body    []byte // of the request
	answer  []byte // in clear
}

func newExchange(b *testing.B, client, server *sealane.Lane) *exchange {
	payload := benchPayload(b, "1KiB", 1<<10)
	sealed, err := client.Seal(b.Context(), payload)
	if err != nil {
		b.Fatal(err)
	}
	const member = `"eval_id":"b5fd5c15-7b35-4b2e-9d2e-6a0f9d3a0c11",`
	x := &exchange{client: client, body: sealhttp.Body(sealed, client.Out().Body)}
	x.answer = append([]byte("{"+member), payload[1:len(payload)-len(member)-2]...)
	x.answer = append(x.answer, `"}`...)
	x.handler = &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return server, nil },
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // what cannot be read fails the check of the answer
			w.Header().Set("Content-Type", "application/json")
			w.Write(x.answer)
		}),
	}
	return x
}

// call does one exchange and gives the answer's body to keep, where asked to.
type call func(keep bool) ([]byte, error)

func (x *exchange) measure(b *testing.B, caller func(*testing.B) call, parallel bool) {
	body, err := caller(b)(true)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := sealhttp.Token(body, x.client.In().Body)
	if err != nil {
		b.Fatal(err)
	}
	if m, err := x.client.Open(b.Context(), sealed); err != nil || !bytes.Equal(m.Payload(), x.answer) {
		b.Fatal("the answer is not the one that was sealed:", err)
	}
	b.ReportAllocs()
	if parallel {
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			do := caller(b)
			for p.Next() {
				if _, err := do(false); err != nil {
					b.Error(err)
					return
				}
			}
		})
	} else {
		do := caller(b)
		for b.Loop() {
			if _, err := do(false); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func (x *exchange) request(b *testing.B, url string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/api/evaluation", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Payload-Encrypted", "true")
	r.ContentLength = int64(len(x.body))
	return r
}

// writer is a ResponseWriter without a connection.
type writer struct {
	header http.Header
	status int
	body   []byte
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.status = status }
func (w *writer) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func (x *exchange) inProcess(b *testing.B) call {
	r, w := x.request(b, "http://server"), &writer{header: http.Header{}}
	return func(bool) ([]byte, error) {
		r.Body = io.NopCloser(bytes.NewReader(x.body))
		clear(w.header)
		w.body = w.body[:0]
		x.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			return nil, fmt.Errorf("status %d: %s", w.status, w.body)
		}
		return w.body, nil
	}
}

func (x *exchange) loopback(b *testing.B) func(*testing.B) call {
	server := httptest.NewServer(x.handler)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client := &http.Client{Transport: transport}
	return func(b *testing.B) call {
		return func(keep bool) ([]byte, error) {
			r := x.request(b, server.URL)
			r.Body = io.NopCloser(bytes.NewReader(x.body))
			answer, err := client.Do(r)
			if err != nil {
				return nil, err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("status %s", answer.Status)
			}
			if keep {
				return io.ReadAll(answer.Body)
			}
			_, err = io.Copy(io.Discard, answer.Body)
			return nil, err
		}
	}
}
