package sealane_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// param returns a header parameter; "-" stands for none.
func param(value string) *string {
	if value == "-" {
		return nil
	}
	return &value
}

// tokenUnder returns a message for the provider with these header parameters.
func tokenUnder(t *testing.T, outer, inner jose.Header) []byte {
	t.Helper()
	inner.Alg, outer.Alg, outer.Enc = alg.RS256.Name, alg.RSAOAEP256.Name, alg.A256GCM.Name
	signed, err := jose.ProtectSigned(inner)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.Sign(nil, []byte("{}"), signed, testkey.RSA(t, "customer", 2048))
	if err != nil {
		t.Fatal(err)
	}
	return encryptedUnder(t, outer, jws, "provider")
}

func encryptedUnder(t *testing.T, h jose.Header, content []byte, to string) []byte {
	t.Helper()
	head, err := jose.ProtectEncrypted(h)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Encrypt(nil, content, head, alg.PublicKey{PublicKey: &testkey.RSA(t, to, 2048).PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestTypeParameters: typ and cty of both layers are compared with the profile's lists,
// which for RiskOS have absent and JWT, and for typ JOSE.
func TestTypeParameters(t *testing.T) {
	provider := testlane.New(t, providerConfig(t))
	for _, value := range []string{"-", "JWT", "jwt", "application/jwt", "JOSE", "text/plain", "JSON"} {
		isJWT := value == "-" || strings.HasSuffix(strings.ToLower(value), "jwt")
		isType, none, v := isJWT || value == "JOSE", jose.Header{}, param(value)
		for _, c := range []struct {
			what         string
			outer, inner jose.Header
			fine         bool
			on           error
			fault        fault.Code
		}{
			{"outer typ", jose.Header{Typ: v}, none, isType, sealane.ErrNotJWE, "jwe.typ-not-allowed"},
			{"outer cty", jose.Header{Cty: v}, none, isJWT, sealane.ErrNotJWE, "jwe.cty-not-allowed"},
			{"inner typ", none, jose.Header{Typ: v}, isType, sealane.ErrNotJWS, "jws.typ-not-allowed"},
			{"inner cty", none, jose.Header{Cty: v}, isJWT, sealane.ErrNotJWS, "jws.cty-not-allowed"},
		} {
			m, err := provider.Open(t.Context(), tokenUnder(t, c.outer, c.inner))
			if c.fine && err != nil {
				t.Errorf("%s %s: %v", c.what, value, err)
			}
			if !c.fine && (!errors.Is(err, c.on) || sealane.FaultOf(err) != c.fault || m != nil) {
				t.Errorf("%s %s: %v", c.what, value, err)
			}
		}
	}
}

// TestMissingTypeParameter: if the profile does not list absent, the parameter is required.
func TestMissingTypeParameter(t *testing.T) {
	c := providerConfig(t)
	p := testlane.Profile(t, "riskos")
	p.Request.Encrypt.Typ.Open, p.Request.Sign.Cty.Open = []string{"JOSE"}, []string{"any"}
	c.Profile = p
	provider := testlane.New(t, c)
	for _, c := range []struct {
		typ, cty string
		fault    fault.Code
	}{{"JOSE", "x", ""}, {"-", "x", "jwe.typ-not-allowed"}, {"JOSE", "-", "jws.cty-not-allowed"}} {
		token := tokenUnder(t, jose.Header{Typ: param(c.typ)}, jose.Header{Cty: param(c.cty)})
		_, err := provider.Open(t.Context(), token)
		if sealane.FaultOf(err) != c.fault || (err == nil) != (c.fault == "") {
			t.Errorf("typ %s, cty %s: %v", c.typ, c.cty, err)
		}
	}
}

// TestKnownOpener: if the profile requires a known key ID, another of our keys does not
// open, although it could. Without a key ID, if that is allowed, all do.
func TestKnownOpener(t *testing.T) {
	const other = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"
	for open, fine := range map[string][3]bool{ // the right ID, that of another key, none
		"known":        {true, false, false},
		"absent known": {true, false, true},
		"any known":    {true, true, false},
		"absent any":   {true, true, true},
	} {
		p := testlane.Profile(t, "rdx")
		p.Request.Encrypt.Kid.Open = strings.Fields(open)
		c := issuerConfig(t, keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)},
			keyring.Key{State: keyring.Retiring, ID: other, Private: testkey.RSA(t, "issuer-old", 2048)})
		c.Profile = p
		l := testlane.New(t, c)
		for i, id := range []string{alias, other, "-"} {
			h := jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name, Kid: param(id)}
			_, err := l.OpenUnverified(t.Context(), encryptedUnder(t, h, []byte("{}"), "issuer"))
			if (err == nil) != fine[i] {
				t.Errorf("%s, key ID %s: %v", open, id, err)
			}
		}
	}
}

// TestKeyWithoutID: if a message may have no key ID, a key without one can be used to seal;
// if it must have one, it cannot.
func TestKeyWithoutID(t *testing.T) {
	for open, fine := range map[string]bool{"absent any": true, "absent known": true, "any": false, "known": false} {
		p := testlane.Profile(t, "riskos")
		p.Request.Encrypt.Kid.Seal, p.Request.Encrypt.Kid.Open = "key-id", strings.Fields(open)
		c := customerConfig(t)
		c.Profile = p
		c.Theirs = testlane.Ring(t, keyring.Key{
			State:  keyring.Active,
			Public: &testkey.RSA(t, "provider", 2048).PublicKey,
		})
		token, err := testlane.New(t, c).Seal(t.Context(), []byte("{}"))
		if fine && (err != nil || header(t, token) != `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`) {
			t.Errorf("%s: %v", open, err)
		}
		if !fine && (!errors.Is(err, sealane.ErrNotSupported) || sealane.FaultOf(err) != "local.no-key-id") {
			t.Errorf("%s: %v", open, err)
		}
	}
}
