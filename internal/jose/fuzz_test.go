package jose_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// wantRefusal checks the properties that all errors of this package have.
func wantRefusal(t *testing.T, err error, kind jose.Kind) {
	t.Helper()
	var e *jose.Error
	if !errors.As(err, &e) || e.Kind != kind || !e.Fault.Known() || len(err.Error()) > 1000 {
		t.Errorf("%.2000v: not an error of kind %d with a fault that is in the catalog, in few words", err, kind)
	}
}

// encodedAgain decodes a token and encodes it again. ok is false if a part is not base64 at
// all.
func encodedAgain(token string) (again string, parts [][]byte, ok bool) {
	var texts []string
	for text := range strings.SplitSeq(token, ".") {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return "", nil, false
		}
		parts, texts = append(parts, raw), append(texts, base64.RawURLEncoding.EncodeToString(raw))
	}
	return strings.Join(texts, "."), parts, true
}

// FuzzParseEncrypted: an accepted token is the only text of its five parts, which have the
// lengths of its algorithms; it is not changed, and the result does not depend on the
// buffer.
func FuzzParseEncrypted(f *testing.F) {
	key := testkey.Fixed()
	good := encrypt(f, sign(f, []byte(`{"id":"1"}`), key), jose.Header{Kid: text("k")}, &key.PublicKey)
	f.Add(good)
	for _, enc := range alg.Contents {
		f.Add(encrypt(f, []byte("content"), jose.Header{Enc: enc.Name}, &key.PublicKey))
	}
	for _, part := range []string{"", "A", "AA", "AB", "A=", "A\n", "+/", "AAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAA"} {
		for i := range 5 {
			parts := strings.Split(string(good), ".")
			parts[i] = part
			f.Add([]byte(strings.Join(parts, ".")))
		}
	}
	for _, s := range []string{"", "....", "....." + string(good), string(good) + ".", string(good) + "\n",
		`{"payload":"x"}`, ".." + string(good)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		before := bytes.Clone(token)
		e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, alg.Contents)
		buffer := bytes.Repeat([]byte{0xaa}, len(token)+64)
		other, otherErr := jose.ParseEncrypted(buffer, token, maxToken, jweAlgs, alg.Contents)
		if !bytes.Equal(before, token) {
			t.Fatal("the token was changed")
		}
		if err != nil {
			if e != nil || other != nil || otherErr == nil || otherErr.Error() != err.Error() {
				t.Errorf("%v, with a buffer %v; values as well: %t, %t", err, otherErr, e != nil, other != nil)
			}
			wantRefusal(t, err, jose.NotJWE)
			return
		}
		again, parts, ok := encodedAgain(string(token))
		if !ok || again != string(token) || len(parts) != 5 {
			t.Fatalf("%q is read as %q", token, again)
		}
		enc, _ := alg.Contents.Find(e.Header.Enc)
		if n := len(parts[1]); n != 256 && n != 384 && n != 512 || len(parts[2]) != enc.IV ||
			!enc.IsCiphertextLen(len(parts[3])) || len(parts[4]) != enc.Tag {
			t.Errorf("%s: parts of %d, %d, %d and %d bytes", enc, len(parts[1]), len(parts[2]), len(parts[3]),
				len(parts[4]))
		}
		if otherErr != nil || !cmp.Equal(e.Header, other.Header) {
			t.Fatalf("in a buffer: %v", otherErr)
		}
		plain, which, err := e.Decrypt([]crypto.Decrypter{key})
		plainOther, whichOther, errOther := other.Decrypt([]crypto.Decrypter{key})
		if !bytes.Equal(plain, plainOther) || which != whichOther || (err == nil) != (errOther == nil) {
			t.Errorf("decrypted: %v, in a buffer: %v", err, errOther)
		}
	})
}

// FuzzHeader: the parsed header has the values that encoding/json reads, with exact names;
// encoded by us, it is the same header; and both layers read it in the same way.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`, `{"alg":"RS256"}`,
		`{"alg":"RS256","kid":"k","typ":"JWT","cty":"JWT","enc":"A256GCM"}`,
		` { "\u0061lg" : "RS256" , "x":{"alg":"none"} } `, `{"alg":"RS256","ALG":"none"}`,
		`{"alg":"RS256","alg":"RS256"}`, `{"alg":"RS256","x":[[[[]]]]}`,
		`{"alg":"none"}`, `{"alg":null}`, `{"alg":"RS256","kid":"\u0000"}`, `{"alg":"RS256","typ":"a\ud800"}`,
		`{"alg":"RS256","crit":["b64"],"b64":false}`,
		`{"alg":"RS256","zip":"DEF"}`, `{"alg":"RS256","jku":"https://example.com"}`, `{}`, `[]`, `"x"`, ``,
		"{\"alg\":\"RS256\",\"x\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	// The lengths of the parts other than the header are correct, but not their content.
	zeros := func(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	behindJWE := "." + zeros(256) + "." + zeros(12) + ".." + zeros(16)
	key := testkey.Fixed()
	signsAs := *alg.RS256 // a signature whose name both layers take
	signsAs.Name = alg.RSAOAEP256.Name
	read := func(head string) (jwe, jws *jose.Header, err error) {
		e, jweErr := jose.ParseEncrypted(nil, []byte(head+behindJWE), maxToken,
			[]*alg.KeyEncryption{alg.RSAOAEP256, {Name: alg.RS256.Name}}, encs)
		if jweErr == nil {
			jwe = &e.Header
		}
		s, err := jose.ParseSigned([]byte(head+".."+zeros(256)), []*alg.Signature{&signsAs, alg.RS256})
		if err == nil {
			jws = &s.Header
		}
		return jwe, jws, err
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		jwe, jws, err := read(base64.RawURLEncoding.EncodeToString(data))
		if err != nil {
			wantRefusal(t, err, jose.NotJWS)
			if jwe != nil {
				t.Errorf("a JWE may have this header, a JWS not: %v", err)
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal(data, &other); err != nil || !utf8.Valid(data) || len(data) > 4096 {
			t.Fatalf("accepted, and to encoding/json it is %v", err)
		}
		wantSame := func(name string, got *string) {
			if value, has := other[name]; has != (got != nil) || has && value != *got {
				t.Errorf("%s is %v to encoding/json; absent to us: %t", name, value, got == nil)
			}
		}
		wantSame("alg", &jws.Alg)
		wantSame("kid", jws.Kid)
		wantSame("typ", jws.Typ)
		wantSame("cty", jws.Cty)
		for _, name := range []string{"zip", "crit", "b64", "jwk", "jku", "x5u", "x5c"} {
			if _, has := other[name]; has {
				t.Errorf("accepted with %s", name)
			}
		}
		if jwe != nil {
			wantSame("enc", &jwe.Enc)
			if alike := *jwe; cmp.Equal(alike, *jws) ||
				!cmp.Equal(jose.Header{Alg: alike.Alg, Kid: alike.Kid, Typ: alike.Typ, Cty: alike.Cty}, *jws) {
				t.Errorf("a JWE's header is %v, a JWS's %v", alike, *jws)
			}
		}
		if jws.Alg != alg.RS256.Name || len(data) > 600 { // written again it may be longer: what JSON escapes
			return
		}
		head, err := jose.ProtectSigned(*jws)
		if err != nil {
			t.Fatal("what was read cannot be written:", err)
		}
		token, err := jose.Sign(nil, nil, head, key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParseSigned(token, jwsAlgs)
		if err != nil || !cmp.Equal(again.Header, *jws) {
			t.Errorf("written and read again: %v", err)
		}
	})
}

// FuzzRoundTrip: what we sign and encrypt, in a buffer of its own or in the place that
// Reserve returns, is read back byte for byte, with the requested header.
func FuzzRoundTrip(f *testing.F) {
	for suite := range byte(len(alg.Signatures) * len(alg.Contents)) {
		f.Add([]byte(`{"id":"1"}`), "k", "JWT", uint16(0), true, suite)
		f.Add([]byte{}, "", "", uint16(3), false, suite)
		f.Add(bytes.Repeat([]byte{0xff}, 50_000), "a-b_c.d", "JOSE", uint16(100), true, suite)
		f.Add([]byte("..\n"), "\x7f", "<&>", uint16(1), false, suite)
	}
	key := testkey.Fixed()
	public := alg.PublicKey{PublicKey: &key.PublicKey}
	f.Fuzz(func(t *testing.T, payload []byte, kid, typ string, before uint16, inPlace bool, suite byte) {
		signature := alg.Signatures[int(suite)%len(alg.Signatures)]
		enc := alg.Contents[int(suite)/len(alg.Signatures)%len(alg.Contents)]
		h := jose.Header{Kid: &kid}
		if utf8.ValidString(typ) && len(typ) < 500 {
			h.Typ = &typ
		}
		h.Alg = signature.Name
		signHead, err := jose.ProtectSigned(h)
		if (err == nil) != (cert.CheckKeyIDText(kid) == nil) {
			t.Fatalf("key ID %q: %v", kid, err)
		}
		if err != nil {
			return
		}
		h.Alg, h.Enc = alg.RSAOAEP256.Name, enc.Name
		head, err := jose.ProtectEncrypted(h)
		if err != nil {
			t.Fatal(err)
		}
		dst := bytes.Repeat([]byte{'x'}, int(before)%4096)
		var place []byte
		if inPlace {
			dst, place = jose.Reserve(dst, jose.SignedLen(len(payload), signHead, &key.PublicKey), head, public)
		}
		signed, err := jose.Sign(place, payload, signHead, key)
		if err != nil || len(signed) != jose.SignedLen(len(payload), signHead, &key.PublicKey) {
			t.Fatalf("%d bytes: %v", len(signed), err)
		}
		token, err := jose.Encrypt(dst, signed, head, public)
		if err != nil || !bytes.Equal(token[:len(dst)], bytes.Repeat([]byte{'x'}, len(dst))) {
			t.Fatal("what stood in front is lost, or", err)
		}
		token = token[len(dst):]
		e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, []*alg.Content{enc})
		if err != nil || !cmp.Equal(e.Header, h) {
			t.Fatalf("%v %v", e, err)
		}
		got, err := open(token, key)
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("%d bytes came back as %d: %v", len(payload), len(got), err)
		}
	})
}
