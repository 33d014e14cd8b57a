package interop

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// change is one edit of a text: its place, its kind, and its offset.
type change struct {
	place, kind, with byte
	at                uint16
}

// Places: the parts of a token, in the order in which they are made. A part that is changed
// before signing or encrypting is signed or encrypted in its changed form.
const (
	innerHead = 1 + iota
	payloadText
	innerToken
	outerHead
	outerToken
	places
)

func (c change) apply(place byte, text string) string {
	if c.place%places != place {
		return text
	}
	b := []byte(text)
	at := int(c.at) % (len(b) + 1)
	switch c.kind % 5 {
	case 0:
		b = slices.Insert(b, at, c.with)
	case 1:
		if at < len(b) {
			b[at] = c.with
		}
	case 2:
		if at < len(b) {
			b = slices.Delete(b, at, at+1)
		}
	case 3:
		b = b[:at]
	case 4:
		b = append(b, b[at:]...)
	}
	return string(b)
}

// FuzzAgainstGoJOSE: we reject everything that go-jose rejects; if both accept, the payload
// is the same; and tokens that only go-jose accepts are on the list in differ_test.go. The
// fuzzer chooses headers and payload, and one edit anywhere. Otherwise tokens are encrypted
// and signed correctly, so that the fuzzer gets behind the cryptography.
func FuzzAgainstGoJOSE(f *testing.F) {
	k := fixedKeys(f)
	const outer, inner, payload = rsaOAEP256Header, `{"alg":"RS256"}`, `{"id":"1"}`
	for _, member := range []string{
		`"kid":"k"`, `"typ":"JWT","cty":"JWT"`, `"zip":"DEF"`, `"crit":["b64"],"b64":true`, `"crit":[]`, `"b64":false`,
		`"\u0061lg":"none"`, `"ALG":"none"`,
		`"jku":"x"`, `"x5u":"x"`, `"x5c":[]`, `"jwk":{}`, `"nonce":1`, `"kid":null`, `"alg":null`,
		`"x":{"a":{"b":[1,2.5e300,null]}}`, `"epk":1,"iv":2,"tag":3,"p2c":4`,
	} {
		f.Add([]byte(outer[:len(outer)-1]+","+member+"}"), []byte(inner), []byte(payload), byte(0), byte(0), byte(0),
			uint16(0))
		f.Add([]byte(outer), []byte(inner[:len(inner)-1]+","+member+"}"), []byte(payload), byte(0), byte(0), byte(0),
			uint16(0))
	}
	for place := byte(0); place < places; place++ {
		for kind := range byte(5) {
			f.Add([]byte(outer), []byte(inner), []byte(payload), place, kind, byte('\n'), uint16(13))
			f.Add([]byte(outer), []byte(inner), []byte("x"), place, kind, byte('9'), uint16(1))
		}
	}
	f.Fuzz(func(t *testing.T, outer, inner, payload []byte, place, kind, with byte, at uint16) {
		c := change{place, kind, with, at}
		jws := rawJWS(t, c.apply(innerHead, b64(inner)), c.apply(payloadText, b64(payload)), k.signer)
		jwe := k.sealContent(t, c.apply(outerHead, b64(outer)), c.apply(innerToken, jws))
		k.agree(t, c.apply(outerToken, jwe))
	})
}

// FuzzLaneAgainstGoJOSE is the same for whole tokens and whole lanes, signed, and encrypted
// only: a lane opens nothing that go-jose, with the lane's algorithms allowed, does not
// open with the same payload. Its initial inputs are all faults that malform can make.
// go-jose opens much that a lane refuses: key IDs, typ and cty belong to the profile.
func FuzzLaneAgainstGoJOSE(f *testing.F) {
	k := fixedKeys(f)
	var lanes []*sealane.Lane
	other := testlane.Profile(f, "riskos", alg.RS256.Name, alg.PS256.Name, alg.A256GCM.Name, alg.A128CBCHS256.Name)
	for i, dialect := range []*profile.Profile{testlane.Profile(f, "riskos"), testlane.Profile(f, "rdx"), other} {
		c := sealane.Config{
			Profile: dialect,
			Side:    sealane.ServerSide,
			Ours:    testkey.Ours(f, ourKeyID, k.recipient),
			Theirs:  testkey.Theirs(f, peerKeyID, k.signer),
		}
		if dialect.Request.Sign == nil {
			c.SenderAuth, c.AcceptRSAOAEP = sealane.SenderUnauthenticated, "the peer's library is old"
		}
		l, err := sealane.New(c)
		if err != nil {
			f.Fatal(err)
		}
		lanes = append(lanes, l)
		m := malform.Material{Payload: []byte(`{"id":"1"}`), Signer: k.signer, Recipient: &k.recipient.PublicKey,
			SignerID: peerKeyID, RecipientID: ourKeyID,
			Other: testkey.Fixed(), Nested: dialect.Request.Sign != nil}
		m.Content, _ = alg.Contents.Find(dialect.Request.Encrypt.Enc.Seal)
		if m.Nested {
			m.Signature, _ = alg.Signatures.Find(dialect.Request.Sign.Alg.Seal)
		}
		made := map[fault.Code]bool{}
		for _, v := range append(malform.VariantsOf(m), malform.Variant{}) { // the last has no fault
			if made[v.Code] || strings.HasSuffix(string(v.Code), "too-large") {
				continue
			}
			made[v.Code] = true
			token, err := v.Make(m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), token, uint16(0), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, lane byte, token []byte, at uint16, flip byte) {
		l := lanes[int(lane)%len(lanes)]
		token = bytes.Clone(token)
		if len(token) > 0 {
			token[int(at)%len(token)] ^= flip
		}
		m, err := l.OpenMessage(t.Context(), token)
		if err != nil {
			if m != nil {
				t.Errorf("%s: a message and %v", l.Name(), err)
			}
			return
		}
		direction := l.Inbound().Direction()
		algorithms := direction.Encrypt.Alg.Open
		j := job{Signed: direction.Sign != nil, Content: direction.Encrypt.Enc.Seal, Input: token}
		if j.Signed {
			j.Signature = direction.Sign.Alg.Seal
		} else {
			algorithms = append(slices.Clone(algorithms), "RSA-OAEP")
		}
		payload, theirs := k.byGoJOSEAllowing(algorithms, j)
		if theirs != nil && !knownToRefuse(theirs) || theirs == nil && !bytes.Equal(payload, m.Payload()) {
			t.Errorf("%s opens it as %q, go-jose as %q: %v\n%s", l.Name(), m.Payload(), payload, theirs, token)
		}
	})
}

// byGoJOSEAllowing opens with whichever of the algorithms fits.
func (k *fixed) byGoJOSEAllowing(algorithms []string, j job) (payload []byte, err error) {
	j.Private, j.Public = k.recipient, &k.signer.PublicKey
	for _, j.KeyEncryption = range algorithms {
		var got opened
		if got, err = (goJOSE{}).Open(j); err == nil {
			return got.Payload, nil
		}
	}
	return nil, err
}

// knownToRefuse reports whether go-jose's error is on the list in differ_test.go.
func knownToRefuse(err error) bool {
	for part := range goJOSEOnly {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return false
}

// jwkMembers are the members of a JWK that we read. RFC 7517 section 4 requires all others
// to be ignored, but go-jose does not: it checks x5t, x5t#S256 and x5u by rules of its own,
// reads members of other kinds of key, and ignores the case of names.
var jwkMembers = []string{"kty", "kid", "use", "alg", "key_ops", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x5c"}

// FuzzJWKAgainstGoJOSE: go-jose reads every JWK that we read, public or private, as the
// same key with the same key ID; and we read what go-jose writes of it.
func FuzzJWKAgainstGoJOSE(f *testing.F) {
	key := testkey.Fixed()
	public, err := keyfile.EncodeJWK(&key.PublicKey, keyfile.JWKParams{KeyID: "k-1", Use: "sig"})
	if err != nil {
		f.Fatal(err)
	}
	private, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "k-1", Use: "enc"})
	if err != nil {
		f.Fatal(err)
	}
	for _, jwk := range []string{string(public), string(private)} {
		f.Add([]byte(jwk))
		for _, edit := range [][2]string{
			{`"kty": "RSA"`, `"kty": "RSA", "KTY": "EC"`}, {`"kty": "RSA"`, `"kty": "RSA", "key_ops": ["verify"]`},
			{`"kty": "RSA"`, `"kty": "RSA", "x5c": []`},
			{`"kty": "RSA"`, `"kty": "RSA", "x5t": "AAAA"`}, {`"kid": "k-1"`, `"kid": ""`},
			{`"kid": "k-1"`, `"kid": "\u006b"`}, {`"kid": "k-1"`, `"kid": null`},
			{`"AQAB"`, `"AQAB="`}, {`"AQAB"`, `"AAEAAQ"`}, {`"use": "sig"`, `"use": "other"`},
			{`"alg": "RS256"`, `"alg": "PS256"`}, {`"n": "`, `"n": "AAAA`},
		} {
			f.Add([]byte(strings.Replace(jwk, edit[0], edit[1], 1)))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var ours any
		var keyID string
		if file, err := keyfile.Parse(data); err == nil && file.Format == keyfile.FormatJWK {
			ours, keyID = file.PublicKey, file.KeyID
		} else if key, info, err := keyfile.ParsePrivate(data, nil); err == nil && info.Format == keyfile.FormatJWK {
			ours, keyID = key, info.KeyID
		}
		if ours == nil || !json.Valid(withoutMark(data)) { // go-jose does not read UTF-16
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(withoutMark(data), &members); err != nil {
			t.Fatal(err)
		}
		if set, isSet := members["keys"]; isSet {
			var keys []map[string]json.RawMessage
			if err := json.Unmarshal(set, &keys); err != nil {
				t.Fatal(err)
			}
			members = keys[0]
		}
		maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
			return !slices.Contains(jwkMembers, name)
		})
		data, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		var theirs gojose.JSONWebKey
		if err := json.Unmarshal(data, &theirs); err != nil {
			t.Fatalf("go-jose rejects what we accept: %v\n%s", err, data)
		}
		if theirs.KeyID != keyID || !sameKey(ours, theirs.Key) {
			t.Fatalf("key ID %q, to go-jose %q; or another key", keyID, theirs.KeyID)
		}
		written, err := gojose.JSONWebKey{Key: ours, KeyID: keyID}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if key, isPrivate := ours.(*rsa.PrivateKey); isPrivate {
			again, info, err := keyfile.ParsePrivate(written, nil)
			if err != nil || !again.Equal(key) || info.KeyID != keyID {
				t.Fatalf("written by go-jose: %v", err)
			}
		} else if again, err := keyfile.Parse(written); cert.CheckKey(ours.(*rsa.PublicKey)) == nil &&
			(err != nil || !sameKey(ours, again.PublicKey) || again.KeyID != keyID) {
			t.Fatalf("written by go-jose: %v", err)
		}
	})
}

// withoutMark removes the byte order mark that Windows programs write.
func withoutMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

func sameKey(ours, theirs any) bool {
	switch key := ours.(type) {
	case *rsa.PublicKey:
		other, ok := theirs.(*rsa.PublicKey)
		return ok && key.Equal(other)
	case *rsa.PrivateKey:
		other, ok := theirs.(*rsa.PrivateKey)
		return ok && key.Equal(other)
	}
	return false
}
