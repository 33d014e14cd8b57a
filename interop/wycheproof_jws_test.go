package interop

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

const jwsFile = "json_web_signature_test.json"

var jwsDeviations = deviations{
	332: "an RS256 signature under a key whose JWK says PS512. A lane takes its algorithms from the profile and " +
		"its keys from certificates, which have no alg; PS512 does not exist here, so nothing can be confused",
	367: "marked invalid for its padding, but the padding was lost: it is case 357, which is marked valid, byte " +
		"for byte",
	370: "as 367",
	372: "marked valid with a `?` in the header: not in the base64url alphabet (RFC 7515 section 2), refused",
	373: "marked valid with a `?` in the payload: refused as 372",
}

// wycheproofLane opens what holds a JWS by key. Where the JWK says that it is
// for encryption, so does the key ring.
func wycheproofLane(t *testing.T, key jwk) *sealane.Lane {
	t.Helper()
	dialect, err := profile.Load("riskos")
	if err != nil {
		t.Fatal(err)
	}
	return laneOf(t, key, dialect)
}

func laneOf(t *testing.T, key jwk, dialect *profile.Profile) *sealane.Lane {
	t.Helper()
	k := keyring.Key{State: keyring.Active, Public: key.public(t)}
	if key.Use == "enc" || len(key.KeyOps) > 0 && !strings.Contains(strings.Join(key.KeyOps, " "), "verify") {
		k.Use = keyring.UseEnc
	}
	theirs, err := keyring.New(k)
	if err != nil {
		t.Fatal(err)
	}
	l, err := sealane.New(sealane.Config{Profile: dialect, Side: sealane.ServerSide, Theirs: theirs,
		Ours: testkey.Ours(t, ourKeyID, testkey.RSA(t, "ours", 2048))})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestWycheproofPS256 judges the file's cases of PS256 on a lane that takes it, and
// nothing else: those of RS256 are refused there.
func TestWycheproofPS256(t *testing.T) {
	t.Parallel()
	got := counts{}
	for _, g := range readVectors(t, jwsFile).TestGroups {
		if g.Public == nil || g.Private.Alg != alg.PS256.Name && g.Private.Alg != alg.RS256.Name {
			continue
		}
		l := laneOf(t, *g.Public, testlane.Profile(t, "riskos", alg.RS256.Name, alg.PS256.Name))
		for _, v := range g.Tests {
			payload, err := openInner(t, l, v.JWS)
			if g.Private.Alg == alg.RS256.Name {
				if err == nil {
					t.Errorf("%d: a token of RS256 is taken as PS256", v.ID)
				}
				got["RS256, refused"]++
				continue
			}
			name := v.Result
			if named, _ := algorithms(v.JWS); named != alg.PS256.Name {
				name += " as " + named
			}
			if err == nil {
				name += ", holds"
				if want, decodeErr := base64.RawURLEncoding.DecodeString(strings.Split(v.JWS,
					".")[1]); decodeErr != nil || string(want) != string(payload) {
					t.Errorf("%d: payload %q, want %q, %v", v.ID, payload, want, decodeErr)
				}
			}
			got[name]++
		}
	}
	if diff := cmp.Diff(counts{"valid, holds": 6, "invalid": 42, "valid as PS384": 2, "RS256, refused": 233},
		got); diff != "" {
		t.Error(diff)
	}
}

// openInner puts a JWS into a JWE and opens both.
func openInner(t *testing.T, l *sealane.Lane, jws string) ([]byte, error) {
	t.Helper()
	token := testkey.Encrypt(t, []byte(jws), &testkey.RSA(t, "ours", 2048).PublicKey)
	m, err := l.Open(context.Background(), token)
	if err != nil {
		if m != nil {
			t.Error("a message and an error")
		}
		return nil, err
	}
	return m.Payload(), nil
}

// TestWycheproofJWS judges every case of the file with Lane.Open: those of RS256 as marked,
// and all others must be refused.
func TestWycheproofJWS(t *testing.T) {
	t.Parallel()
	got, needed := counts{}, map[int]bool{}
	fallback := jwk{}
	groups := readVectors(t, jwsFile).TestGroups
	for _, g := range groups {
		if g.Comment == "rs256" && fallback.N == "" {
			fallback = *g.Public
		}
	}
	for _, g := range groups {
		key := fallback
		if g.Public != nil && g.Public.Kty == "RSA" {
			key = *g.Public
		}
		l := wycheproofLane(t, key)
		for _, v := range g.Tests {
			payload, err := openInner(t, l, v.JWS)
			accepted := err == nil
			if accepted {
				if want, decodeErr := base64.RawURLEncoding.DecodeString(strings.Split(v.JWS,
					".")[1]); decodeErr != nil || string(want) != string(payload) {
					t.Errorf("%d: payload %q, want %q, %v", v.ID, payload, want, decodeErr)
				}
			}
			switch {
			case g.Private.Alg == "RS256":
				got["RS256 "+v.Result]++
				if accepted != v.valid() {
					t.Errorf("%d %s: marked %s, we say %v", v.ID, v.Comment, v.Result, err)
				}
			case g.Private.Kty == "RSA" && g.Private.Alg == "":
				got["RSA key for encryption, "+v.Result]++
				if !errors.Is(err, sealane.ErrNotSupported) || v.valid() {
					t.Errorf("%d %s: marked %s, we say %v", v.ID, v.Comment, v.Result, err)
				}
			case v.ID == 332:
				got["RS256 by a key for PS512, "+v.Result]++
				if needed[v.ID] = accepted; !accepted {
					t.Errorf("%d %s: refused: %v", v.ID, v.Comment, err)
				}
			default:
				got["other algorithms, refused"]++
				if !errors.Is(err, sealane.ErrNotJWS) {
					t.Errorf("%d %s: another algorithm; we say %v", v.ID, v.Comment, err)
				}
			}
		}
	}
	if diff := cmp.Diff(counts{
		"RS256 valid": 8, "RS256 invalid": 225,
		"RSA key for encryption, invalid": 2, "RS256 by a key for PS512, invalid": 1,
		"other algorithms, refused": 165,
	}, got); diff != "" {
		t.Error(diff)
	}
	(deviations{332: jwsDeviations[332]}).used(t, jwsFile, needed)
}

// TestWycheproofBase64 applies the file's cases about encoding, which use HS256, to our
// decoder: each part of a token becomes the payload of an RS256 token that is signed over
// exactly that text.
func TestWycheproofBase64(t *testing.T) {
	t.Parallel()
	key := testkey.RSA(t, "peer", 2048)
	got, needed, texts := counts{}, map[int]bool{}, map[string]bool{}
	for _, g := range readVectors(t, jwsFile).TestGroups {
		if g.Comment != "base64" {
			continue
		}
		for _, v := range g.Tests {
			parts := strings.Split(v.JWS, ".")
			accepted := len(parts) == 3
			for _, text := range parts {
				payload, err := verify(rawJWS(t, b64([]byte(`{"alg":"RS256"}`)), text, key), &key.PublicKey)
				got["parts"]++
				if err != nil {
					accepted = false
					if f := faultOf(err); !strings.HasPrefix(string(f), "jws.base64-") {
						t.Errorf("%d: %q: %v", v.ID, text, err)
					}
				} else if b64(payload) != text {
					t.Errorf("%d: %q is read, but encodes as %q", v.ID, text, b64(payload))
				}
			}
			got[v.Result]++
			switch twin := texts[v.JWS]; {
			case v.ID == 367 || v.ID == 370:
				needed[v.ID] = twin && accepted
			case v.ID == 372 || v.ID == 373:
				needed[v.ID] = v.valid() && strings.Contains(v.JWS, "?") && !accepted
			case accepted != v.valid():
				t.Errorf("%d %s: marked %s, accepted: %t", v.ID, v.Comment, v.Result, accepted)
			}
			texts[v.JWS] = texts[v.JWS] || v.valid()
		}
	}
	if diff := cmp.Diff(counts{"valid": 7, "invalid": 14, "parts": 63}, got); diff != "" {
		t.Error(diff)
	}
	rest := deviations{}
	for id, reason := range jwsDeviations {
		if id != 332 {
			rest[id] = reason
		}
	}
	rest.used(t, jwsFile, needed)
}
