package jose_test

import (
	"bytes"
	"crypto"
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
