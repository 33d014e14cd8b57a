package jose_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
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

// TestBufferSizes: a buffer that does not do is not used, and one that just does is.
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
		if _, err := jose.ProtectEncrypted(jose.Header{Alg: "RSA-OAEP-256", Enc: "A256GCM", Kid: &id}); (err == nil) != good {
			t.Errorf("%s: %v", quoted, err)
		}
	}
}
