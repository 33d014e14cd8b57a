package jose_test

import (
	"crypto"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// TestLengths tries every length of IV and tag around the correct ones; a wrong one would
// make AES panic, or weaken GCM. A ciphertext has whole blocks if enc pads.
func TestLengths(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, enc := range alg.Contents {
		p := strings.Split(string(encrypt(t, []byte("p"), jose.Header{Enc: enc.Name}, &key.PublicKey)), ".")
		for n := range 70 {
			for _, c := range []struct {
				part  int
				right bool
				fault fault.TokenFault
			}{
				{2, n == enc.IV, "iv-length"},
				{3, enc.Block == 0 || n > 0 && n%16 == 0, "ciphertext-length"},
				{4, n == enc.Tag, "tag-length"},
			} {
				changed := slices.Clone(p)
				changed[c.part] = base64.RawURLEncoding.EncodeToString(make([]byte, n))
				_, err := jose.ParseEncrypted(nil, []byte(strings.Join(changed, ".")), maxToken, jweAlgs, alg.Contents)
				if !c.right {
					wantFault(t, enc.Name, err, c.fault, fault.JWE)
				} else if err != nil {
					t.Error(enc, err)
				}
			}
		}
	}
}

// TestAllowedOnly: algorithms of the table are refused if the caller does not name them.
func TestAllowedOnly(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, used := range alg.Contents {
		for _, allowed := range alg.Contents {
			token := encrypt(t, []byte("p"), jose.Header{Enc: used.Name}, &key.PublicKey)
			_, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, []*alg.Content{allowed})
			if used != allowed {
				wantFault(t, used.Name, err, "enc-not-allowed", fault.JWE)
			} else if err != nil {
				t.Error(err)
			}
		}
	}
	for _, used := range alg.Signatures {
		for _, allowed := range alg.Signatures {
			_, err := jose.ParseSigned(signWith(t, used, []byte("p"), key), []*alg.Signature{allowed})
			if used != allowed {
				wantFault(t, used.Name, err, "alg-not-allowed", fault.JWS)
			} else if err != nil {
				t.Error(err)
			}
		}
	}
	token := encrypt(t, []byte("p"), jose.Header{}, &key.PublicKey)
	if _, err := jose.ParseEncrypted(nil, token, maxToken, nil, nil); err == nil {
		t.Error("opened by a caller who allows nothing")
	}
}

// TestAnotherAlgorithmsName: a signature with the name of another allowed algorithm is
// invalid, and content with another enc does not open.
func TestAnotherAlgorithmsName(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, used := range alg.Signatures {
		for _, named := range alg.Signatures {
			p := strings.Split(string(signWith(t, used, []byte("p"), key)), ".")
			p[0] = b64(`{"alg":"` + named.Name + `","kid":"k1"}`)
			input := named.AppendDigest(nil, []byte(p[0]+"."+p[1]))
			signature, err := used.Sign(key, input)
			if err != nil {
				t.Fatal(err)
			}
			p[2] = base64.RawURLEncoding.EncodeToString(signature)
			s, err := jose.ParseSigned([]byte(strings.Join(p, ".")), alg.Signatures)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Verify(publics(&key.PublicKey)); (err == nil) != (used == named) {
				t.Errorf("signed with %s, named %s: %v", used, named, err)
			}
		}
	}
	for _, used := range alg.Contents {
		for _, named := range alg.Contents {
			if used == named || used.IV != named.IV || used.Tag != named.Tag {
				continue // the lengths tell
			}
			p := strings.Split(string(encrypt(t, []byte("p"), jose.Header{Enc: used.Name}, &key.PublicKey)), ".")
			p[0] = b64(`{"alg":"RSA-OAEP-256","enc":"` + named.Name + `"}`)
			e, err := jose.ParseEncrypted(nil, []byte(strings.Join(p, ".")), maxToken, jweAlgs, alg.Contents)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := e.Decrypt([]crypto.Decrypter{key}); err == nil || got != nil {
				t.Errorf("encrypted with %s, named %s: opened", used, named)
			}
		}
	}
}
