package jose_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// TestTokenLimit: a token of the limit's length is read, a longer one is not.
func TestTokenLimit(t *testing.T) {
	token := encrypt(t, []byte("content"), jose.Header{}, &testkey.RSA(t, "recipient", 2048).PublicKey)
	for _, more := range []int{-1, 0, 1} {
		_, err := jose.ParseEncrypted(nil, token, len(token)+more, jweAlgs, encs)
		want := fault.TokenFault("")
		if more < 0 {
			want = fault.TooLarge
		}
		wantFault(t, "limit", err, want, fault.JWE)
	}
}

// TestBufferSizes: a buffer that is too small is not used, and one of exactly the right
// size is.
func TestBufferSizes(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	token := encrypt(t, []byte("content"), jose.Header{}, &key.PublicKey)
	const need = 12 + len("content") + 16
	for size := range need + 2 {
		buffer := make([]byte, size)
		e, err := jose.ParseEncrypted(buffer, token, maxToken, jweAlgs, encs)
		if err != nil {
			t.Fatal(err)
		}
		used := !bytes.Equal(buffer, make([]byte, size))
		got, _, err := e.Decrypt([]crypto.Decrypter{key})
		if err != nil || string(got) != "content" || used != (size >= need) {
			t.Errorf("a buffer of %d bytes: %q, %v; it was used: %t", size, got, err, used)
		}
	}
}

// TestKeyIDBorders: 1 to 128 printable ASCII characters.
func TestKeyIDBorders(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	_, rest, _ := strings.Cut(string(encrypt(t, nil, jose.Header{}, &key.PublicKey)), ".")
	for id, good := range map[string]bool{
		"k": true, " ": true, "~": true, strings.Repeat("k", 128): true,
		strings.Repeat("k", 129): false, "\x1f": false, "\x7f": false, "\u0080": false, "k\x7f": false,
	} {
		quoted, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		head := `{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":` + string(quoted) + `}`
		_, err = jose.ParseEncrypted(nil, []byte(b64(head)+"."+rest), maxToken, jweAlgs, encs)
		want := fault.KidForm
		if good {
			want = ""
		}
		wantFault(t, string(quoted), err, want, fault.JWE)
		h := jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name, Kid: &id}
		if _, err := jose.ProtectEncrypted(h); (err == nil) != good {
			t.Errorf("%s: %v", quoted, err)
		}
	}
}

// TestFirstForeignCharacter: of several characters outside the base64url alphabet, the
// first is named, no matter which decoder finds it.
func TestFirstForeignCharacter(t *testing.T) {
	s := strings.Split(string(sign(t, nil, testkey.RSA(t, "recipient", 2048))), ".")
	for _, n := range []int{8, 64, 200, 20_000} {
		good := strings.Repeat("A", n)
		for _, c := range []struct {
			first, then string
			want        fault.TokenFault
		}{
			{"+", "\r", fault.Base64Standard}, {"=", "\n", fault.Base64Padding}, {"%", "\r\n", fault.Base64Character},
			{"\n", "+", fault.Base64Space}, {"=", "+", fault.Base64Padding}, {" ", "%", fault.Base64Space},
		} {
			text := good[:n/4] + c.first + good[n/4:n/2] + c.then + good[n/2:]
			if got := payloadFault(s[0], s[2], text); got != c.want.In(fault.JWS) {
				t.Errorf("%q before %q in %d: fault %s, want %s", c.first, c.then, len(text), got,
					c.want.In(fault.JWS))
			}
		}
	}
}

// TestHeadersOfTheOtherKind: a signed header has no enc, and an encrypted one has no
// signature algorithm as alg.
func TestHeadersOfTheOtherKind(t *testing.T) {
	if _, err := jose.ProtectSigned(jose.Header{Alg: alg.RS256.Name, Enc: alg.A256GCM.Name}); err == nil {
		t.Error("a JWS would say enc")
	}
	if _, err := jose.ProtectEncrypted(jose.Header{Alg: alg.RS256.Name, Enc: alg.A256GCM.Name}); err == nil {
		t.Error("a JWE would say RS256")
	}
}
