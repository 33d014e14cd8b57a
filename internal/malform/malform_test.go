package malform_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/malform"
)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func material(nested bool) malform.Material {
	return malform.Material{
		Payload: []byte(`{"id":"1"}`), Signer: key(), Recipient: &key().PublicKey,
		SignerID: "s", RecipientID: "r", Other: key(), Nested: nested, Limit: 1000,
	}
}

// suites combine every signature with every content encryption.
func suites(nested bool) []malform.Material {
	var list []malform.Material
	for _, s := range alg.Signatures {
		for _, c := range alg.Contents {
			m := material(nested)
			m.Signature, m.Content = s, c
			list = append(list, m)
		}
	}
	return list
}

// Without a fault, the strict codec opens the messages of this package.
func TestMessageWithoutFaultOpens(t *testing.T) {
	for _, m := range append(suites(true), suites(false)...) {
		nested := m.Nested
		token, err := malform.Make("", m)
		if err != nil {
			t.Fatal(err)
		}
		e, err := jose.ParseEncrypted(nil, token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256},
			[]*alg.Content{m.Content})
		if err != nil {
			t.Fatal(err)
		}
		if e.Header.KeyID() != "r" {
			t.Errorf("key ID %q", e.Header.KeyID())
		}
		content, _, err := e.Decrypt([]crypto.Decrypter{key()})
		if err != nil {
			t.Fatal(err)
		}
		if nested {
			s, err := jose.ParseSigned(content, []*alg.Signature{m.Signature})
			if err != nil {
				t.Fatal(err)
			}
			if content, _, err = s.Verify([]alg.PublicKey{{PublicKey: &key().PublicKey}}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(content, m.Payload) {
			t.Errorf("nested %v: %q", nested, content)
		}
	}
}

func TestVariants(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range malform.Variants() {
		name := string(v.Code) + " " + v.Name
		if seen[name] || v.Name == "" || !v.Code.Known() {
			t.Errorf("%q is there twice, has no name or no known code", name)
		}
		seen[name] = true
		if _, err := v.Make(material(true)); err != nil {
			t.Error(err)
		}
		token, err := v.Make(material(false))
		if v.Nested == (err == nil) {
			t.Errorf("%s, encrypted only: %v", name, err)
		}
		if v.Code == fault.TooLarge.In(fault.JWE) && len(token) <= 1000 {
			t.Errorf("%s has only %d bytes", name, len(token))
		}
		m := material(v.Nested)
		m.Recipient = nil
		if _, err := v.Make(m); err == nil {
			t.Errorf("%s is made without a recipient", name)
		}
	}
}

// TestVariantsOfSuites: the variants that fit a message can be made of it, and no others.
// The algorithms of the shipped profiles are the default.
func TestVariantsOfSuites(t *testing.T) {
	for _, m := range suites(true) {
		for _, v := range malform.VariantsOf(m) {
			if v.Code == fault.OpenCompressed {
				continue // a bomb takes long
			}
			if _, err := v.Make(m); err != nil {
				t.Errorf("%s with %s: %v", m.Signature, m.Content, err)
			}
		}
		foreign := 0
		for _, v := range malform.Variants() {
			if v.Fits(m) {
				continue
			}
			foreign++
			if _, err := v.Make(m); err == nil {
				t.Errorf("%s with %s: %s (%s) is made", m.Signature, m.Content, v.Code, v.Name)
			}
		}
		if shipped := m.Signature == alg.RS256 && m.Content == alg.A256GCM; shipped != (foreign == 0) {
			t.Errorf("%s with %s: %d variants do not fit", m.Signature, m.Content, foreign)
		}
	}
}

func TestMake(t *testing.T) {
	m := material(true)
	payload := bytes.Clone(m.Payload)
	for _, c := range malform.Codes() {
		if _, err := malform.Make(c, m); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(m.Payload, payload) {
		t.Error("the payload was changed")
	}
	if slices.Contains(malform.Codes(), "http.busy") {
		t.Error("http.busy is no fault of a token")
	}
	if _, err := malform.Make("http.busy", m); err == nil || !strings.Contains(err.Error(), "http.busy") {
		t.Errorf("http.busy: %v", err)
	}
	m.Other = nil
	for _, c := range []fault.Code{fault.OpenKeyOther, fault.SignatureOther, fault.HeaderJKU.In(fault.JWS)} {
		if _, err := malform.Make(c, m); err == nil {
			t.Errorf("%s is made without a stranger's key", c)
		}
	}
}

// Every fault can be made with an empty or short payload.
func TestEmptyPayload(t *testing.T) {
	for _, nested := range []bool{true, false} {
		m := material(nested)
		m.Payload = nil
		for _, v := range malform.Variants() {
			if v.Nested && !nested {
				continue
			}
			if _, err := v.Make(m); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestStrangersKeyInTheHeader: with the key in the header of the inner token, the signature
// is valid; otherwise the fault would not be an attack.
func TestStrangersKeyInTheHeader(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	m := material(true)
	m.Other = stranger
	n := 0
	for _, v := range malform.Variants() {
		brings := v.Code == fault.HeaderJWK.In(fault.JWS) && v.Name != "public-key" ||
			v.Code == fault.HeaderJKU.In(fault.JWS) ||
			v.Code == fault.HeaderX5C.In(fault.JWS) || v.Code == fault.HeaderX5U.In(fault.JWS)
		if !brings || v.Name == "null" || v.Name == "empty" {
			continue
		}
		n++
		token, err := v.Make(m)
		if err != nil {
			t.Fatal(err)
		}
		p := strings.Split(string(decrypted(t, token)), ".")
		signature, err := base64.RawURLEncoding.DecodeString(p[2])
		if err != nil {
			t.Fatal(err)
		}
		public := &stranger.PublicKey
		if v.Code == fault.HeaderX5C.In(fault.JWS) {
			public = certified(t, p[0])
		}
		digest := sha256.Sum256([]byte(p[0] + "." + p[1]))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
			t.Errorf("%s (%s): %v", v.Code, v.Name, err)
		}
	}
	if n != 7 {
		t.Errorf("%d variants bring a stranger's key", n)
	}
}

// certified returns the key of the one certificate in a header's x5c.
func certified(t *testing.T, headerText string) *rsa.PublicKey {
	t.Helper()
	header, err := base64.RawURLEncoding.DecodeString(headerText)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		X5C [][]byte // standard base64, as encoding/json reads bytes
	}
	if err := json.Unmarshal(header, &h); err != nil || len(h.X5C) != 1 {
		t.Fatal(string(header), err)
	}
	c, err := x509.ParseCertificate(h.X5C[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	return c.PublicKey.(*rsa.PublicKey)
}

// TestBombInflates opens the bomb that no header announces.
func TestBombInflates(t *testing.T) {
	i := slices.IndexFunc(malform.Variants(), func(v malform.Variant) bool {
		return v.Code == fault.OpenCompressed && v.Name == "bomb"
	})
	if i < 0 {
		t.Fatal("there is no bomb")
	}
	token, err := malform.Variants()[i].Make(material(false))
	if err != nil {
		t.Fatal(err)
	}
	content := decrypted(t, token)
	n, err := io.Copy(io.Discard, flate.NewReader(bytes.NewReader(content)))
	if err != nil || n != 100<<20 || len(content) > 110_000 {
		t.Errorf("%d bytes inflate to %d: %v", len(content), n, err)
	}
}

func decrypted(t *testing.T, token []byte) []byte {
	t.Helper()
	e, err := jose.ParseEncrypted(nil, token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256}, []*alg.Content{alg.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	content, _, err := e.Decrypt([]crypto.Decrypter{key()})
	if err != nil {
		t.Fatal(err)
	}
	return content
}
