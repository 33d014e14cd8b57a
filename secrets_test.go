package sealane_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// TestWhoSigned: only signatures of the lane's partner are accepted.
func TestWhoSigned(t *testing.T) {
	_, provider := riskos(t)
	mallory := customerConfig(t)
	mallory.Ours = testkey.Ours(t, "c1", testkey.RSA(t, "mallory", 2048)) // the customer's key ID, another key
	if m, err := provider.Open(t.Context(), seal(t, testlane.New(t, mallory), "{}")); !errors.Is(err,
		sealane.ErrSignature) || m != nil {
		t.Error(err)
	}
	unsigned := testkey.Encrypt(t, []byte("{}"), &testkey.RSA(t, "provider", 2048).PublicKey)
	if m, err := provider.Open(t.Context(), unsigned); !errors.Is(err, sealane.ErrNotJWS) || m != nil {
		t.Error(err)
	}
}

// gone is a key whose store does not answer.
type gone struct{ keyring.Private }

var errGone = errors.New("connection to the HSM refused")

func (gone) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)       { return nil, errGone }
func (gone) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, errGone }

func TestKeyStoreGone(t *testing.T) {
	customer, _ := riskos(t)
	token := seal(t, customer, "{}")
	c := providerConfig(t)
	c.Ours = testkey.Ours(t, "p1", gone{testkey.RSA(t, "provider", 2048)})
	l := testlane.New(t, c)
	for _, err := range []error{second(l.Open(t.Context(), token)), second(l.Seal(t.Context(), nil))} {
		if !errors.Is(err, sealane.ErrUnavailable) || !errors.Is(err, errGone) ||
			sealane.OutcomeOf(err) != profile.Unavailable {
			t.Error(err)
		}
	}
}

// TestErrorsHoldNoSecret: whatever is changed in a token, no error contains a part of the
// payload or of the token.
func TestErrorsHoldNoSecret(t *testing.T) {
	customer, provider := riskos(t)
	const payload = `{"national_id":"SECRET-123-45-6789"}`
	token := seal(t, customer, payload)
	bad := [][]byte{[]byte(payload), []byte(payload + ".a.b.c." + payload)}
	for i := 0; i < len(token); i += 7 {
		changed := bytes.Clone(token)
		changed[i] ^= 1
		bad = append(bad, changed)
	}
	for _, v := range malform.Variants() {
		made, err := v.Make(malform.Material{Payload: []byte(payload), Nested: true, Limit: 1 << 10,
			Signer: testkey.RSA(t, "customer", 2048), SignerID: "c1",
			Recipient: &testkey.RSA(t, "provider", 2048).PublicKey, RecipientID: "p1",
			Other: testkey.RSA(t, "stranger", 2048)})
		if err != nil {
			t.Fatal(err)
		}
		bad = append(bad, made)
	}
	failed := 0
	for _, b := range bad {
		m, err := provider.Open(t.Context(), b)
		if err == nil {
			continue // a fault that this lane accepts
		}
		failed++
		text := err.Error()
		if m != nil || strings.Contains(text, "SECRET") ||
			strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte(payload))[:20]) ||
			strings.Contains(text, string(token[len(token)/2:][:20])) || len(text) > 600 {
			t.Errorf("error: %s", text)
		}
	}
	if failed < 300 {
		t.Errorf("only %d messages were refused", failed)
	}
}

// TestKeysInTheHeader: URLs and keys in a token are refused before they are used, in the
// outer header and in the inner one; a server that is named there is not called. It would
// serve the key that signed the inner token: a caller of it would find that the signature
// is valid.
func TestKeysInTheHeader(t *testing.T) {
	mallory := testkey.RSA(t, "mallory", 2048)
	jwk, err := keyfile.EncodeJWK(&mallory.PublicKey, keyfile.JWKParams{KeyID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &mallory.PublicKey, mallory)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if r.URL.Path == "/jwks" {
			fmt.Fprintf(w, `{"keys":[%s]}`, jwk)
			return
		}
		pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}))
	_, provider := riskos(t)
	to := &testkey.RSA(t, "provider", 2048).PublicKey
	refused := func(member string, token []byte, want error, f fault.Code) {
		t.Helper()
		m, err := provider.Open(t.Context(), token)
		if !errors.Is(err, want) || m != nil || sealane.FaultOf(err) != f ||
			strings.Contains(err.Error(), canary.URL) {
			t.Errorf("%s: %v", member, err)
		}
	}
	for member, name := range map[string]string{
		`"jku":"$/jwks"`:       "header-jku",
		`"x5u":"$/cert"`:       "header-x5u",
		`"jwk":` + string(jwk): "header-jwk",
		`"x5c":["` + base64.StdEncoding.EncodeToString(der) + `"]`: "header-x5c",
		`"crit":["jku"],"jku":"$/jwks"`:                            "header-crit",
	} {
		member = strings.ReplaceAll(member, "$", canary.URL)
		outer := `{"alg":"RSA-OAEP-256","enc":"A256GCM",` + member + `}`
		refused(member, sealSHA1(t, outer, []byte("{}"), to), sealane.ErrNotJWE, fault.Code("jwe."+name))
		for _, kid := range []string{"", `"kid":"c1",`, `"kid":"mallory",`} {
			jws := signedUnder(t, `{"alg":"RS256",`+kid+member+`}`, "{}", mallory)
			refused("inner "+kid+member, testkey.Encrypt(t, jws, to), sealane.ErrNotJWS, fault.Code("jws."+name))
		}
	}
	canary.Close() // waits for running requests
	if len(asked) > 0 {
		t.Errorf("the canary was asked for %s", <-asked)
	}
}

// signedUnder is a JWS with any header.
func signedUnder(t *testing.T, header, payload string, key *rsa.PrivateKey) []byte {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(input + "." + b64(signature))
}
