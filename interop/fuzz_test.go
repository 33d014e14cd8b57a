package interop

import (
	"slices"
	"testing"
)

// change is one edit of a text: where it is made, what is done, at which byte.
type change struct {
	place, kind, with byte
	at                uint16
}

// Places: what a token is made of, in the order of making. What is changed
// before it is signed or encrypted is signed or encrypted as changed.
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

// FuzzAgainstGoJOSE: whatever go-jose rejects, we reject; what both accept is
// the same payload; and what go-jose alone accepts is on the list in
// differ_test.go. Headers and payload are the fuzzer's, and one edit anywhere.
// Tokens are well encrypted and signed otherwise, so that the fuzzer gets
// behind the cryptography.
func FuzzAgainstGoJOSE(f *testing.F) {
	k := fixedKeys(f)
	const outer, inner, payload = rsaOAEP256Header, `{"alg":"RS256"}`, `{"id":"1"}`
	for _, member := range []string{
		`"kid":"k"`, `"typ":"JWT","cty":"JWT"`, `"zip":"DEF"`, `"crit":["b64"],"b64":true`, `"crit":[]`, `"b64":false`, `"\u0061lg":"none"`, `"ALG":"none"`,
		`"jku":"x"`, `"x5u":"x"`, `"x5c":[]`, `"jwk":{}`, `"nonce":1`, `"kid":null`, `"alg":null`, `"x":{"a":{"b":[1,2.5e300,null]}}`, `"epk":1,"iv":2,"tag":3,"p2c":4`,
	} {
		f.Add([]byte(outer[:len(outer)-1]+","+member+"}"), []byte(inner), []byte(payload), byte(0), byte(0), byte(0), uint16(0))
		f.Add([]byte(outer), []byte(inner[:len(inner)-1]+","+member+"}"), []byte(payload), byte(0), byte(0), byte(0), uint16(0))
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
