package jose_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// payloadFault replaces the payload of a JWS with text and returns the fault.
func payloadFault(head, signature, text string) fault.Code {
	_, err := jose.ParseSigned([]byte(head+"."+text+"."+signature), jwsAlgs)
	var e *jose.Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return ""
}

// TestBase64Strict puts each foreign character at each offset of texts of 2 to 267
// characters, which encode 1 to 200 bytes.
func TestBase64Strict(t *testing.T) {
	s := strings.Split(string(sign(t, nil, testkey.RSA(t, "recipient", 2048))), ".")
	for n := 1; n <= 200; n++ {
		good := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n))
		if got := payloadFault(s[0], s[2], good); got != "" {
			t.Fatalf("%d bytes: %s", n, got)
		}
		for foreign, want := range map[byte]fault.TokenFault{
			'+': fault.Base64Standard, '/': fault.Base64Standard, '=': fault.Base64Padding, '\r': fault.Base64Space,
			'\n': fault.Base64Space, ' ': fault.Base64Space, '\t': fault.Base64Space, 0: fault.Base64Character,
			'%': fault.Base64Character, 0xc3: fault.Base64Character,
		} {
			for at := range len(good) {
				bad := good[:at] + string([]byte{foreign}) + good[at+1:]
				if got := payloadFault(s[0], s[2], bad); got != want.In(fault.JWS) {
					t.Fatalf("%q at %d of %d: fault %q, want %q", foreign, at, len(good), got, want)
				}
			}
		}
	}
}

func TestBase64SpareBits(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := strings.Split(string(sign(t, nil, testkey.RSA(t, "recipient", 2048))), ".")
	for length := 2; length <= 267; length++ {
		if length%4 == 1 {
			if got := payloadFault(s[0], s[2], strings.Repeat("A", length)); got != "jws.base64-length" {
				t.Errorf("%d characters: fault %q", length, got)
			}
			continue
		}
		spare := map[int]int{0: 0, 2: 4, 3: 2}[length%4]
		for i, c := range alphabet {
			var want fault.Code
			if i&(1<<spare-1) != 0 {
				want = "jws.base64-spare-bits"
			}
			if got := payloadFault(s[0], s[2], strings.Repeat("A", length-1)+string(c)); got != want {
				t.Errorf("%d characters ending in %c: fault %q, want %q", length, c, got, want)
			}
		}
	}
}

// TestEveryByteMatters flips every byte of a token: a changed token must not open, and an
// error must have no payload.
func TestEveryByteMatters(t *testing.T) {
	everyByteMatters(t, alg.RS256, alg.A256GCM)
	everyByteMatters(t, alg.PS256, alg.A128CBCHS256)
}

func everyByteMatters(t *testing.T, signature *alg.Signature, enc *alg.Content) {
	t.Helper()
	key := testkey.RSA(t, "recipient", 2048)
	token := encrypt(t, signWith(t, signature, []byte(`{"id":"1"}`), key), jose.Header{Enc: enc.Name}, &key.PublicKey)
	for i := range token {
		bad := bytes.Clone(token)
		bad[i] ^= 1
		if payload, err := open(bad, key); err == nil || payload != nil {
			t.Errorf("byte %d changed from %q to %q: opened", i, token[i], bad[i])
		}
	}
}

// open accepts every algorithm of the table.
func open(token []byte, key *rsa.PrivateKey) ([]byte, error) {
	e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, alg.Contents)
	if err != nil {
		return nil, err
	}
	content, _, err := e.Decrypt([]crypto.Decrypter{key})
	if err != nil {
		return nil, err
	}
	s, err := jose.ParseSigned(content, alg.Signatures)
	if err != nil {
		return nil, err
	}
	payload, _, err := s.Verify([]alg.PublicKey{{PublicKey: &key.PublicKey}})
	return payload, err
}

// TestDotsCostNothing: the work for a token of dots is bounded by the size limit, and
// allocates nothing in proportion to it.
func TestDotsCostNothing(t *testing.T) {
	dots := bytes.Repeat([]byte{'.'}, 100<<20)
	for _, limit := range []int{maxToken, len(dots)} {
		allocs := testing.AllocsPerRun(1, func() {
			if _, err := jose.ParseEncrypted(nil, dots, limit, jweAlgs, encs); err == nil {
				t.Error("accepted")
			}
		})
		if allocs > 20 {
			t.Errorf("limit %d: %v allocations", limit, allocs)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key := testkey.Fixed()
	for _, signature := range alg.Signatures {
		for _, enc := range alg.Contents {
			f.Add(encrypt(f, signWith(f, signature, []byte(`{"id":"1"}`), key), jose.Header{Enc: enc.Name},
				&key.PublicKey))
		}
	}
	f.Add(encrypt(f, []byte(`{"id":"1"}`), jose.Header{Kid: text("k")}, &key.PublicKey))
	f.Add([]byte("...."))
	f.Fuzz(func(t *testing.T, token []byte) {
		before := bytes.Clone(token)
		payload, err := open(token, key)
		if err != nil && payload != nil {
			t.Error("a payload and an error")
		}
		if err == nil && string(payload) != `{"id":"1"}` {
			t.Errorf("opened %q", payload)
		}
		if !bytes.Equal(before, token) {
			t.Error("the token was changed")
		}
	})
}

// FuzzSigned: an accepted token is the only text of its parts.
func FuzzSigned(f *testing.F) {
	for _, signature := range alg.Signatures {
		f.Add(string(signWith(f, signature, []byte(`{"id":"1"}`), testkey.Fixed())))
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := jose.ParseSigned([]byte(token), alg.Signatures); err != nil {
			return
		}
		var again []string
		for _, p := range strings.Split(token, ".") {
			raw, err := base64.RawURLEncoding.DecodeString(p)
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, base64.RawURLEncoding.EncodeToString(raw))
		}
		if got := strings.Join(again, "."); got != token {
			t.Errorf("%q is read as %q", token, got)
		}
	})
}

// TestBlockBorders puts a foreign character and a spare bit around the borders
// of the blocks in which large texts are decoded, in place and not.
func TestBlockBorders(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	s := strings.Split(string(sign(t, nil, key)), ".")
	for _, n := range []int{8190, 8191, 8192, 8194, 8195, 8196, 16384, 24576, 24579, 32767, 32768, 32770, 40000,
		70000} {
		good := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff, 0xef, 0xbe, 1}, n))[:n-n%4]
		if got := payloadFault(s[0], s[2], good); got != "" {
			t.Fatalf("%d characters: %s", n, got)
		}
		for _, at := range []int{0, 1, 8190, 8191, 8192, 8193, 16383, 16384, 24575, 24576, 24577, 32768, 49151, 49152,
			49153, 65535, 65536, len(good) - 45, len(good) - 33, len(good) - 2, len(good) - 1} {
			if at >= len(good) || at < 0 {
				continue
			}
			for foreign, want := range map[string]fault.Code{
				"+":    "jws.base64-standard",
				"/":    "jws.base64-standard",
				"\n":   "jws.base64-space",
				"=":    "jws.base64-padding",
				"\xff": "jws.base64-character",
			} {
				bad := good[:at] + foreign + good[at+1:]
				if got := payloadFault(s[0], s[2], bad); got != want {
					t.Fatalf("%q at %d of %d: %s", foreign, at, n, got)
				}
			}
		}
		if got := payloadFault(s[0], s[2], good+"AB"); got != "jws.base64-spare-bits" {
			t.Errorf("%d characters and a spare bit: %s", n, got)
		}
	}
}

// TestDotsInThePayload: the fault of a token does not depend on its payload.
func TestDotsInThePayload(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, payload := range []string{strings.Repeat("x", 6000), strings.Repeat(".", 6000),
		strings.Repeat("1.", 10_000), ".."} {
		s := strings.Split(string(sign(t, []byte(payload), key)), ".")
		for bad, want := range map[string]fault.Code{
			"!": "jws.base64-character",
			".": "jws.parts",
			"=": "jws.base64-padding",
		} {
			at := len(s[1]) * 3 / 4
			if got := payloadFault(s[0], s[2], s[1][:at]+bad+s[1][at+1:]); got != want {
				t.Errorf("%.5q… with %q: %s", payload, bad, got)
			}
		}
	}
}

// TestHeaderLimit: a header may have 4096 bytes and not more.
func TestHeaderLimit(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	s := strings.Split(string(sign(t, nil, key)), ".")
	for n, want := range map[int]fault.Code{
		4095: "",
		4096: "",
		4097: "jws.header-too-large",
		4098: "jws.header-too-large",
	} {
		header := `{"alg":"RS256"`
		header += strings.Repeat(" ", n-len(header)-1) + "}"
		if got := payloadFault(b64(header), s[2], ""); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
}
