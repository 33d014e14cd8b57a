package kms_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// keys are those of the scheme test-store, by name.
var keys sync.Map

func init() {
	kms.Register("test-store", func(_ context.Context, uri string, o kms.Options) (*kms.Key, error) {
		if key, ok := keys.Load(strings.TrimPrefix(uri, "test-store:")); ok {
			return key.(*kms.Key), nil
		}
		return nil, errors.New("no such key")
	})
}

// stored puts a private key into the store and returns its URI.
func stored(t *testing.T, private keyring.Private) string {
	t.Helper()
	keys.Store(t.Name(), &kms.Key{Private: private})
	t.Cleanup(func() { keys.Delete(t.Name()) })
	return "test-store:" + t.Name()
}

func TestRegister(t *testing.T) {
	open := func(context.Context, string, kms.Options) (*kms.Key, error) { return nil, nil }
	for scheme, want := range map[string]string{
		"file": "registered already", "test-store": "registered already",
		"": "not valid", "x": "not valid", "1store": "not valid", "-store": "not valid", "Store": "not valid",
		"a.b": "not valid", "a_b": "not valid", "a b": "not valid", "a:b": "not valid", "a\n": "not valid",
	} {
		if got := panicOf(func() { kms.Register(scheme, open) }); !strings.Contains(got, want) {
			t.Errorf("%q: %s", scheme, got)
		}
	}
	if got := panicOf(func() { kms.Register("nil-store", nil) }); !strings.Contains(got, "is nil") {
		t.Error(got)
	}
	if got := strings.Join(kms.Schemes(), " "); got != "example file test-store" {
		t.Errorf("schemes %s", got)
	}
}

func panicOf(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

// TestUnknownScheme: the error says what there is and what to do, and does not repeat the URI.
func TestUnknownScheme(t *testing.T) {
	_, err := kms.Open(t.Context(), "PKCS11:object=key;pin-value=SECRET", kms.Options{})
	for _, want := range []string{
		`"pkcs11" is not known`, "file, test-store", "imports the package", `kms.Register("pkcs11"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Error(err)
	}
	if _, err := kms.Open(t.Context(), "test-store:SECRET", kms.Options{}); err == nil ||
		err.Error() != "test-store key: no such key" {
		t.Error(err)
	}
}

// closing counts the calls of Close.
type closing struct {
	keyring.Private
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

func TestClose(t *testing.T) {
	closed := 0
	key, err := kms.Open(t.Context(), stored(t, closing{testkey.RSA(t, "key", 2048), &closed}), kms.Options{})
	if err != nil || closed != 0 {
		t.Fatal(closed, err)
	}
	if err := key.Close(); err != nil || closed != 1 {
		t.Error(closed, err)
	}
}

// otherKind has a public key that is not RSA's.
type otherKind struct {
	keyring.Private
	public crypto.PublicKey
}

func (o otherKind) Public() crypto.PublicKey { return o.public }

// TestNotRSA: what no lane could use is refused when it is opened, and closed.
func TestNotRSA(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	closed := 0
	for want, private := range map[string]keyring.Private{
		"returned no key":   nil,
		"*ecdsa.PublicKey":  closing{otherKind{nil, ec.Public()}, &closed},
		"*rsa.PublicKey: u": otherKind{nil, (*rsa.PublicKey)(nil)},
		"<nil>: use an RSA": otherKind{nil, nil},
	} {
		if key, err := kms.Open(t.Context(), stored(t, private), kms.Options{}); key != nil || err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

// remote is a key that is reached by a network. Each operation calls reach first.
type remote struct {
	*rsa.PrivateKey
	reach func(context.Context) error
}

func (r *remote) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := r.reach(ctx); err != nil {
		return nil, err
	}
	return r.PrivateKey.Sign(rand.Reader, digest, opts)
}

func (r *remote) DecryptContext(ctx context.Context, text []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if err := r.reach(ctx); err != nil {
		return nil, err
	}
	return r.PrivateKey.Decrypt(rand.Reader, text, opts)
}

// service returns a provider whose key is in a store, and a customer's client of it.
func service(t *testing.T, reach func(context.Context) error) (url string, client *http.Client) {
	t.Helper()
	provider, customer := testkey.RSA(t, "provider", 2048), testkey.RSA(t, "customer", 2048)
	key, err := kms.Open(t.Context(), stored(t, &remote{provider, reach}), kms.Options{})
	if err != nil {
		t.Fatal(err)
	}
	riskos, err := profile.Load("riskos")
	if err != nil {
		t.Fatal(err)
	}
	lane := func(side sealane.Side, ours keyring.Private, theirs *rsa.PublicKey) *sealane.Lane {
		our, err := keyring.New(keyring.Key{State: keyring.Active, Private: ours})
		if err != nil {
			t.Fatal(err)
		}
		their, err := keyring.New(keyring.Key{State: keyring.Active, Public: theirs})
		if err != nil {
			t.Fatal(err)
		}
		l, err := sealane.New(sealane.Config{Profile: riskos, Side: side, Ours: our, Theirs: their})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	serving := lane(sealane.ServerSide, key.Private, &customer.PublicKey)
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(serving),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"eval_id":"e-1"}`)
		}),
	})
	t.Cleanup(s.Close)
	return s.URL + "/api/evaluation", sealhttp.NewClient(lane(sealane.ClientSide, customer, &provider.PublicKey))
}

func post(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(`{"id":"1"}`))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return client.Do(r)
}

// TestLane: a key of a store opens requests and seals answers.
func TestLane(t *testing.T) {
	var mu sync.Mutex
	operations := 0
	url, client := service(t, func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		operations++
		return nil
	})
	answer, err := post(t.Context(), client, url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != `{"eval_id":"e-1"}` {
		t.Errorf("%s, %v", body, err)
	}
	if operations != 2 {
		t.Errorf("%d operations of the key, not a decryption and a signature", operations)
	}
}

// lastAnswer notes what the server sent.
type lastAnswer struct {
	status int
	header http.Header
	body   string
}

func (l *lastAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	l.status, l.header, l.body = answer.StatusCode, answer.Header, string(body)
	answer.Body = io.NopCloser(strings.NewReader(l.body))
	return answer, nil
}

// TestStoreOutOfOrder: an operational error of the key is a 503 and no fault of the partner.
func TestStoreOutOfOrder(t *testing.T) {
	url, client := service(t, func(context.Context) error { return errors.New("SECRET: the store is gone") })
	wire := &lastAnswer{}
	client.Transport.(*sealhttp.Transport).Base = wire
	if answer, err := post(t.Context(), client, url); err == nil {
		answer.Body.Close()
	}
	if wire.status != http.StatusServiceUnavailable || wire.header.Get("Retry-After") == "" {
		t.Errorf("status %d, header %v", wire.status, wire.header)
	}
	if strings.Contains(wire.body, "SECRET") {
		t.Errorf("the partner sees the error of the key: %s", wire.body)
	}
}

// TestCallerLeaves: the context of a key's operation ends when the client goes away.
func TestCallerLeaves(t *testing.T) {
	begun, ended := make(chan bool), make(chan error, 1)
	url, client := service(t, func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := post(ctx, client, url); !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the key got %v", err)
	}
}

// TestName: what is shown of a key's URI holds no credential.
func TestName(t *testing.T) {
	for uri, want := range map[string]string{
		"a.key": "a.key", "file:/k/a.key": "file:/k/a.key", `C:\k\a.key`: `C:\k\a.key`,
		"pkcs11:token=t;pin-value=1234": "pkcs11:…", "vault://user:secret@host/k": "vault:…",
		"-----BEGIN PRIVATE KEY-----\nMIIE": "file:…", "-----BEGIN RSA PRIVATE KEY----- Proc-Type: 4": "file:…",
	} {
		if got := kms.Name(uri); got != want {
			t.Errorf("%s: %q", uri, got)
		}
	}
}
