package interop

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

const (
	jwkFile      = "json_web_key_test.json"
	jwCryptoFile = "json_web_crypto_test.json"
)

// keyGroup keeps its keys as they are in the file, for our readers; tokens may be JSON.
type keyGroup struct {
	Comment         string
	Private, Public json.RawMessage
	Tests           []struct {
		ID      int `json:"tcId"`
		Comment string
		Result  string
		JWS     json.RawMessage
		JWE     json.RawMessage
	}
}

// tokenText is the token of a case: a string's content, or the JSON itself.
func tokenText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// The result for a group's keys, before any token is examined.
const (
	keyTaken   = "taken"
	keyNotOurs = "not a key of RSA for RS256 or RSA-OAEP"
)

// judgeKeys reads a group's key files: the public one as a partner's and into a key ring,
// the private one as ours. It returns the partner's ring.
func judgeKeys(t *testing.T, g keyGroup) (theirs *keyring.Ring, class string) {
	t.Helper()
	private, _, privateErr := keyfile.ParsePrivate(g.Private, nil)
	public := g.Public
	if public == nil { // symmetric keys, or a private key alone
		public = g.Private
	}
	file, err := keyfile.Parse(public)
	if err == nil {
		theirs, err = keyring.New(keyring.Key{State: keyring.Active, ID: file.KeyID, Public: file.PublicKey})
	}
	if (err == nil) != (privateErr == nil) {
		t.Errorf("%s: as a partner's: %v; as ours: %v", g.Comment, err, privateErr)
	}
	if err == nil {
		if !private.PublicKey.Equal(file.PublicKey) {
			t.Errorf("%s: two keys", g.Comment)
		}
		return theirs, keyTaken
	}
	for _, sentinel := range []error{cert.ErrKeySize, cert.ErrKeyExponent, cert.ErrROCA} {
		if errors.Is(err, sentinel) {
			if !errors.Is(privateErr, sentinel) {
				t.Errorf("%s: as a partner's: %v; as ours: %v", g.Comment, err, privateErr)
			}
			return nil, sentinel.Error()
		}
	}
	return nil, keyNotOurs
}

// TestWycheproofJWK reads the file's keys with our readers. A token of a key that is
// refused is judged with another key; it must be refused then, too.
func TestWycheproofJWK(t *testing.T) {
	t.Parallel()
	keys, tokens, needed := counts{}, counts{}, map[int]bool{}
	for _, g := range groupsOf[keyGroup](t, jwkFile) {
		theirs, class := judgeKeys(t, g)
		keys[class]++
		for _, v := range g.Tests {
			accepted := judgeJWS(t, theirs, tokenText(v.JWS), tokens)
			if _, listed := jwkDeviations[v.ID]; listed {
				needed[v.ID] = v.Result == "valid" && !accepted && class == keyNotOurs
			} else if accepted != (v.Result == "valid") {
				t.Errorf("%d %s: marked %s, accepted: %t", v.ID, v.Comment, v.Result, accepted)
			}
		}
	}
	if diff := cmp.Diff(counts{
		keyTaken: 1, keyNotOurs: 21,
		cert.ErrKeySize.Error():     2, // 7, which is also of the ROCA kind, and 8
		cert.ErrKeyExponent.Error(): 1,
	}, keys); diff != "" {
		t.Error("keys:", diff)
	}
	if diff := cmp.Diff(counts{
		"opens": 1, "sign.wrong": 2, "jws.signature-length": 2, "jws.alg-not-allowed": 21,
	}, tokens); diff != "" {
		t.Error("tokens:", diff)
	}
	jwkDeviations.used(t, jwkFile, needed)
}

var jwkDeviations = deviations{
	2:  "HS256 is not ours: neither its key nor its signature is taken",
	13: "as 2", 14: "HS384: as 2", 15: "HS512: as 2",
}

// judgeJWS opens a JWS by theirs, or by another key where there is none, and
// counts what came of it.
func judgeJWS(t *testing.T, theirs *keyring.Ring, jws string, tokens counts) (accepted bool) {
	t.Helper()
	if theirs == nil {
		theirs = testkey.Theirs(t, peerKeyID, testkey.RSA(t, "peer", 2048))
	}
	dialect, err := profile.Load("riskos")
	if err != nil {
		t.Fatal(err)
	}
	l, err := sealane.New(sealane.Config{Profile: dialect, Side: sealane.ServerSide, Theirs: theirs,
		Ours: testkey.Ours(t, ourKeyID, testkey.RSA(t, "ours", 2048))})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := openInner(t, l, jws)
	if err == nil {
		if string(payload) != "foo" {
			t.Errorf("the payload is %q", payload)
		}
		tokens["opens"]++
		return true
	}
	tokens[string(sealane.FaultOf(err))]++
	return false
}

// TestWycheproofJWCrypto judges RS256 as it is marked, and all else by which
// fault it is refused for.
func TestWycheproofJWCrypto(t *testing.T) {
	t.Parallel()
	keys, signed, others, encrypted := counts{}, counts{}, counts{}, counts{}
	needed := map[int]bool{}
	for _, g := range groupsOf[keyGroup](t, jwCryptoFile) {
		theirs, class := judgeKeys(t, g)
		keys[class]++
		for _, v := range g.Tests {
			accepted := false
			switch {
			case v.JWE != nil:
				_, err := decrypt(tokenText(v.JWE), testkey.RSA(t, "ours", 2048))
				accepted = err == nil
				encrypted[string(faultOf(err))]++
			case class == keyTaken:
				accepted = judgeJWS(t, theirs, tokenText(v.JWS), signed)
			default:
				accepted = judgeJWS(t, nil, tokenText(v.JWS), others)
			}
			if _, listed := jwCryptoDeviations[v.ID]; listed {
				needed[v.ID] = v.Result == "valid" && !accepted && class == keyNotOurs
			} else if accepted != (v.Result == "valid") {
				t.Errorf("%d %s: marked %s, accepted: %t", v.ID, v.Comment, v.Result, accepted)
			}
		}
	}
	for _, c := range []struct {
		what      string
		want, got counts
	}{
		{"keys", counts{keyTaken: 1, keyNotOurs: 6, cert.ErrKeySize.Error(): 1}, keys},
		{"RS256", counts{
			"opens": 1, "sign.wrong": 4, "jws.empty": 1, "jws.header-not-json": 2, "jws.parts": 4,
			"jws.signature-length": 1,
		}, signed},
		{"other signatures", counts{
			"jws.alg-none": 1, "jws.alg-not-allowed": 16, "jws.empty": 2, "jws.header-jwk": 1,
			"jws.header-not-json":    4,
			"jws.json-serialization": 1, "jws.parts": 10, "jws.signature-length": 1,
		}, others},
		{"encrypted", counts{
			"jwe.alg-missing": 1, "jwe.alg-not-allowed": 20, "jwe.header-not-json": 2, "jwe.json-serialization": 1,
			"jwe.parts": 10,
		}, encrypted},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(c.what, diff)
		}
	}
	jwCryptoDeviations.used(t, jwCryptoFile, needed)
}

var jwCryptoDeviations = deviations{
	1:  "HS256 is not ours: neither its key nor its signature is taken",
	18: "ES256: as 1",
	48: "HS256 in a set of keys: as 1",
	50: "A256KW is not ours: the JWE is refused for its alg",
	67: "ECDH-ES+A128KW: as 50",
}
