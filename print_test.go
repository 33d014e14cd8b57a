package sealane_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// inValue is a private key that is not behind a pointer.
type inValue struct {
	keyring.Private
	D, P []byte
}

// TestPrivateKeysDoNotPrint: no exported type that holds a private key reveals it, no
// matter how it is printed, logged, marshaled or panicked with.
func TestPrivateKeysDoNotPrint(t *testing.T) {
	private := testkey.RSA(t, "customer", 2048)
	wrapped := inValue{private, private.D.Bytes(), private.Primes[0].Bytes()}
	c := customerConfig(t)
	customer := testlane.New(t, c)
	c.Ours = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "c1", Private: wrapped})
	_, provider := riskos(t)
	const payload = `{"national_id":"SECRET-123-45-6789"}`
	request, err := testlane.New(t, providerConfig(t)).Open(t.Context(), seal(t, customer, payload))
	if err != nil {
		t.Fatal(err)
	}
	response, err := testlane.New(t, c).Open(t.Context(), seal(t, provider, payload))
	if err != nil {
		t.Fatal(err)
	}
	i := issuerConfig(t, keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)})
	unsigned, err := testlane.New(t, i).OpenUnverified(t.Context(), seal(t, vcas(t, alias, "issuer"), payload))
	if err != nil {
		t.Fatal(err)
	}
	key := keyring.Key{State: keyring.Active, ID: "c1", Private: wrapped}
	values := map[string]any{
		"Key": key, "*Key": &key, "Key in memory": keyring.Key{State: keyring.Active, Private: private},
		"[]Key":    []keyring.Key{key},
		"zero Key": keyring.Key{}, "map": map[string]keyring.Key{"k": key},
		"in a struct": struct{ K keyring.Key }{key}, "Ring": c.Ours, "nil Ring": (*keyring.Ring)(nil),
		"Config": c, "*Config": &c, "Lane": testlane.New(t, c), "Verified": response,
		"Verified by the provider": request, "Unverified": unsigned,
		"kms.Key": kms.Key{Private: wrapped}, "*kms.Key": &kms.Key{Private: private}, "KeyInfo": key.Info(),
		"message": sealane.Message(response),
	}
	for name, v := range values {
		var b bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
			slog.New(h).Info("x", "v", v, slog.Group("g", "v", v))
		}
		text, _ := json.Marshal(v)
		b.Write(text)
		text, _ = yaml.Marshal(v)
		b.Write(text)
		text, _ = xml.Marshal(v)
		b.Write(text)
		if r, isRing := v.(*keyring.Ring); !isRing || r != nil { // gob panics with nil pointers
			gob.NewEncoder(&b).Encode(v) // an error says that it can't be encoded
		}
		func() {
			defer func() { fmt.Fprint(&b, recover()) }()
			panic(v)
		}()
		for what, secret := range map[string]*big.Int{
			"d": private.D, "p": private.Primes[0], "q": private.Primes[1], "dp": private.Precomputed.Dp,
			"d of the issuer": testkey.RSA(t, "issuer", 2048).D,
		} {
			raw := secret.Bytes()
			decimal := strings.Trim(fmt.Sprint(raw[8:24]), "[]")
			for _, form := range []string{
				secret.String()[8:40], hex.EncodeToString(raw[8:24]), strings.ToUpper(hex.EncodeToString(raw[8:24])),
				decimal,
				strings.ReplaceAll(decimal, " ", ", "), base64.StdEncoding.EncodeToString(raw)[8:32],
				string(raw[8:24]),
			} {
				if strings.Contains(b.String(), form) {
					t.Errorf("%s shows %s of a private key", name, what)
				}
			}
		}
		if strings.Contains(b.String(), "123-45-6789") ||
			strings.Contains(b.String(), hex.EncodeToString([]byte("123-45-6789"))) {
			t.Errorf("%s shows a payload", name)
		}
	}
}

// A message says which keys it was opened and signed by, also if they have no key ID.
func TestMessageNamesItsKeys(t *testing.T) {
	c := customerConfig(t)
	private := testkey.RSA(t, "customer", 2048)
	for id, want := range map[string]string{
		"c1": `signed by key "c1"`, "": "signed by key " + cert.ThumbprintJWK(&private.PublicKey),
	} {
		c.Ours = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: id, Private: private})
		p := providerConfig(t)
		p.Theirs = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: id, Public: &private.PublicKey})
		m, err := testlane.New(t, p).Open(t.Context(), seal(t, testlane.New(t, c), `{"id":"r-1"}`))
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(m); !strings.Contains(text, want) {
			t.Errorf("%s; want %s", text, want)
		}
	}
}
