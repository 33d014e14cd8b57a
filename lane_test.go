package sealane_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// riskos returns both ends of a RiskOS lane.
func riskos(t testing.TB) (customer, provider *sealane.Lane) {
	t.Helper()
	c, p := riskosConfigs(t)
	return testlane.New(t, c), testlane.New(t, p)
}

func riskosConfigs(t testing.TB) (customer, provider sealane.Config) {
	t.Helper()
	ck, pk := testkey.RSA(t, "customer", 2048), testkey.RSA(t, "provider", 2048)
	p := testlane.Profile(t, "riskos")
	return sealane.Config{
			Profile: p,
			Side:    sealane.ClientSide,
			Ours:    testkey.Ours(t, "c1", ck),
			Theirs:  testkey.Theirs(t, "p1", pk),
		},
		sealane.Config{
			Profile: p,
			Side:    sealane.ServerSide,
			Ours:    testkey.Ours(t, "p1", pk),
			Theirs:  testkey.Theirs(t, "c1", ck),
		}
}

func customerConfig(t testing.TB) sealane.Config { c, _ := riskosConfigs(t); return c }
func providerConfig(t testing.TB) sealane.Config { _, p := riskosConfigs(t); return p }

const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"

// vcas returns the sender's end of an RDX lane.
func vcas(t testing.TB, id string, to string) *sealane.Lane {
	t.Helper()
	return testlane.New(t, sealane.Config{
		Profile:     testlane.Profile(t, "rdx"),
		Side:        sealane.ClientSide,
		Environment: "STAG",
		Theirs:      testkey.Theirs(t, id, testkey.RSA(t, to, 2048)),
	})
}

// issuer returns the receiver's end.
func issuer(t testing.TB, keys ...keyring.Key) *sealane.Lane {
	t.Helper()
	return testlane.New(t, issuerConfig(t, keys...))
}

func issuerConfig(t testing.TB, keys ...keyring.Key) sealane.Config {
	t.Helper()
	return sealane.Config{
		Profile:     testlane.Profile(t, "rdx"),
		Side:        sealane.ServerSide,
		Environment: "STAG",
		Ours:        testlane.Ring(t, keys...),
		SenderAuth:  sealane.SenderMutualTLS,
	}
}

func seal(t testing.TB, l *sealane.Lane, payload string) []byte {
	t.Helper()
	token, err := l.Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func header(t *testing.T, token []byte) string {
	t.Helper()
	head, _, _ := strings.Cut(string(token), ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestRiskOSBothDirections(t *testing.T) {
	customer, provider := riskos(t)
	for _, payload := range []string{"", "x", `{"n":9007199254740993,"d":1.10,"s":"\u0041"}`,
		"not JSON at all \x00\xff"} {
		for _, ends := range [][2]*sealane.Lane{{customer, provider}, {provider, customer}} {
			token := seal(t, ends[0], payload)
			// the vendor's sample sets nothing else
			if got := header(t, token); got != `{"alg":"RSA-OAEP-256","enc":"A256GCM"}` {
				t.Errorf("outer header is %s", got)
			}
			message, err := ends[1].Open(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if string(message.Payload()) != payload {
				t.Errorf("%q", message.Payload())
			}
			if signer := ends[0].Ours()[0]; message.Signer().ID != signer.ID ||
				!message.Signer().Public.Equal(signer.Public) {
				t.Errorf("signed by %q", message.Signer().ID)
			}
			if m, err := ends[1].OpenUnverified(t.Context(), token); m != nil ||
				sealane.FaultOf(err) != fault.Signing || !errors.Is(err, sealane.ErrUnavailable) {
				t.Errorf("a signed message was opened unverified: %v", err)
			}
		}
	}
}

func TestRDXProvesNoSender(t *testing.T) {
	key := testkey.RSA(t, "issuer", 2048)
	token := seal(t, vcas(t, alias, "issuer"), `{"TransactionId":"1"}`)
	if got := header(t, token); got != `{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"`+alias+`"}` {
		t.Errorf("header is %s", got)
	}
	l := issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: key})
	message, err := l.OpenUnverified(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if message.SenderAuth() != sealane.SenderMutualTLS || string(message.Payload()) != `{"TransactionId":"1"}` {
		t.Errorf("%s, %q", message.SenderAuth(), message.Payload())
	}
	if m, err := l.Open(t.Context(), token); m != nil || sealane.FaultOf(err) != fault.NotSigning ||
		!errors.Is(err, sealane.ErrUnavailable) {
		t.Errorf("an unsigned message was opened as verified: %v", err)
	}
	if _, err := l.Seal(t.Context(), nil); !errors.Is(err, sealane.ErrUnavailable) ||
		sealane.FaultOf(err) != fault.NotSealing {
		t.Errorf("a response was sealed where the profile sends it plain: %v", err)
	}
}

func TestUnknownKeyID(t *testing.T) {
	key := testkey.RSA(t, "issuer", 2048)
	prod := strings.Replace(alias, "STAG", "PROD", 1)
	_, err := issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: key}).OpenUnverified(t.Context(),
		seal(t, vcas(t, prod, "issuer"), "{}"))
	if !errors.Is(err, sealane.ErrDecryption) ||
		!strings.Contains(err.Error(), `key ID "`+prod+`" is not known in STAG`) {
		t.Error(err)
	}
	_, err = issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: key}).OpenUnverified(t.Context(),
		testkey.Encrypt(t, []byte("{}"), &key.PublicKey))
	if !errors.Is(err, sealane.ErrNotJWE) || sealane.FaultOf(err) != "jwe.kid-missing" {
		t.Error(err)
	}
}

// TestOverlap: one key ID, two keys, because an alias has no version.
func TestOverlap(t *testing.T) {
	older, newer := testkey.RSA(t, "issuer", 2048), testkey.RSA(t, "issuer-new", 2048)
	l := issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: older},
		keyring.Key{ID: alias, Private: newer, State: keyring.Staged})
	for name, key := range map[string]crypto.PublicKey{"issuer": older.Public(), "issuer-new": newer.Public()} {
		message, err := l.OpenUnverified(t.Context(), seal(t, vcas(t, alias, name), "{}"))
		if err != nil {
			t.Fatal(name, err)
		}
		if !message.OpenedBy().Public.Equal(key) {
			t.Errorf("%s: opened by another key", name)
		}
	}
	// The same for signatures: two certificates of the customer verify.
	c := providerConfig(t)
	renewed := testkey.RSA(t, "customer-new", 2048)
	c.Theirs = testlane.Ring(t,
		keyring.Key{ID: "c1", Public: &testkey.RSA(t, "customer", 2048).PublicKey, State: keyring.Retiring},
		keyring.Key{State: keyring.Active, ID: "c1", Public: &renewed.PublicKey})
	provider := testlane.New(t, c)
	for _, name := range []string{"customer", "customer-new"} {
		customer := testlane.New(t, sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: sealane.ClientSide,
			Ours:   testkey.Ours(t, "whatever", testkey.RSA(t, name, 2048)),
			Theirs: testkey.Theirs(t, "p1", testkey.RSA(t, "provider", 2048))})
		message, err := provider.Open(t.Context(), seal(t, customer, "{}"))
		if err != nil {
			t.Fatal(name, err)
		}
		if !message.Signer().Public.Equal(testkey.RSA(t, name, 2048).Public()) {
			t.Errorf("%s: verified by another key", name)
		}
	}
}

// sha1Token encrypts to the issuer with RSA-OAEP, as in the vendor's sample.
func sha1Token(t *testing.T) []byte {
	t.Helper()
	return sealSHA1(t, `{"kid":"`+alias+`","alg":"RSA-OAEP","enc":"A256GCM"}`, []byte("{}"),
		&testkey.RSA(t, "issuer", 2048).PublicKey)
}

func TestRSAOAEPOnlyWhereTheLaneSaysSo(t *testing.T) {
	key := keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)}
	_, err := issuer(t, key).OpenUnverified(t.Context(), sha1Token(t))
	if !errors.Is(err, sealane.ErrNotJWE) || !strings.Contains(err.Error(), "AcceptRSAOAEP") {
		t.Errorf("the error does not name the switch: %v", err)
	}
	c := issuerConfig(t, key)
	c.AcceptRSAOAEP = "partner's library is old; ticket 12"
	message, err := testlane.New(t, c).OpenUnverified(t.Context(), sha1Token(t))
	if err != nil || string(message.Payload()) != "{}" {
		t.Error(err)
	}
	c = providerConfig(t)
	c.AcceptRSAOAEP = "a wish"
	if _, err := sealane.New(c); err == nil || !strings.Contains(err.Error(), "does not let a lane add RSA-OAEP") {
		t.Errorf("RiskOS took RSA-OAEP: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestLimits(t *testing.T) {
	c, p := riskosConfigs(t)
	c.MaxPayload, p.MaxPayload = 1000, 1000
	customer, provider := testlane.New(t, c), testlane.New(t, p)
	if _, err := provider.Open(t.Context(), seal(t, customer, strings.Repeat("x", 1000))); err != nil {
		t.Errorf("a payload of the limit's size does not open: %v", err)
	}
	if _, err := customer.Seal(t.Context(), make([]byte, 1001)); !errors.Is(err, sealane.ErrTooLarge) {
		t.Error(err)
	}
	larger, _ := riskos(t)
	for _, size := range []int{1001, 100_000} {
		if m, err := provider.Open(t.Context(), seal(t, larger, strings.Repeat("x", size))); !errors.Is(err,
			sealane.ErrTooLarge) || m != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	customer, provider := riskos(t)
	ctx, cancel := context.WithCancel(t.Context())
	token := seal(t, customer, "{}")
	cancel()
	if _, err := customer.Seal(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := provider.Open(ctx, token); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkSeal(b *testing.B) {
	customer, _ := riskos(b)
	payload := bytes.Repeat([]byte("x"), 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := customer.Seal(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	customer, provider := riskos(b)
	token := seal(b, customer, strings.Repeat("x", 1<<10))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := provider.Open(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
