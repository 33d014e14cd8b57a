package interop

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/cert"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// witness is a key that notes what it was asked and what it gave.
type witness struct {
	*rsa.PrivateKey
	asked   int
	options crypto.DecrypterOpts
	gave    []byte
	err     error
}

func (w *witness) Decrypt(random io.Reader, encrypted []byte, options crypto.DecrypterOpts) ([]byte, error) {
	got, err := w.PrivateKey.Decrypt(random, encrypted, options)
	w.asked++
	w.options, w.gave, w.err = options, bytes.Clone(got), err
	return got, err
}

// TestWycheproofOAEP puts each vector into a JWE as its encrypted key. The
// content is encrypted under the vector's message where that is a CEK, so that
// it opens if and only if the vector is valid, has no label and is 32 bytes
// long. Of the others the key itself shows that our path decrypts them with
// the right parameters, and the codec then refuses their length.
func TestWycheproofOAEP(t *testing.T) {
	for _, bits := range []int{2048, 3072, 4096} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			name, got := fmt.Sprintf("rsa_oaep_%d_sha256_mgf1sha256_test.json", bits), counts{}
			for _, g := range readVectors(t, name).TestGroups {
				key := g.OAEPKey.private(t)
				for _, v := range g.Tests {
					got[judgeOAEP(t, key, v)]++
				}
			}
			if diff := cmp.Diff(counts{
				"opens": 1, "valid, but not a CEK's length": 9, "valid only under a label": 8,
				"invalid": 14, "invalid length": 5,
			}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func judgeOAEP(t *testing.T, key *rsa.PrivateKey, v vector) (class string) {
	c := content{cek: unhex(t, v.Msg), iv: make([]byte, 12), encryptedKey: unhex(t, v.CT), plaintext: []byte("opened")}
	if len(c.cek) != 32 {
		c.cek = make([]byte, 32)
	}
	w := &witness{PrivateKey: key}
	plaintext, err := decrypt(c.rawJWE(t, b64([]byte(rsaOAEP256Header))), w)
	fail := func() {
		t.Errorf("%d %s: marked %s: key asked %d times, it gave %x, %v; we say %q, %v", v.ID, v.Comment, v.Result, w.asked, w.gave, w.err, plaintext, err)
	}
	if len(c.encryptedKey) != key.Size() {
		if w.asked != 0 || faultOf(err) != "jwe.encrypted-key-length" || v.valid() {
			fail()
		}
		return "invalid length"
	}
	options, ok := w.options.(*rsa.OAEPOptions)
	if w.asked != 1 || !ok || options.Hash != crypto.SHA256 || options.MGFHash != 0 || len(options.Label) != 0 {
		fail()
	}
	switch decrypts := w.err == nil && bytes.Equal(w.gave, unhex(t, v.Msg)); {
	case !v.valid():
		if w.err == nil || faultOf(err) != "open.key" {
			fail()
		}
		return "invalid"
	case v.Label != "":
		if w.err == nil || faultOf(err) != "open.key" {
			fail()
		}
		return "valid only under a label"
	case len(v.Msg) != 64:
		if !decrypts || faultOf(err) != "open.key" || plaintext != nil {
			fail()
		}
		return "valid, but not a CEK's length"
	default:
		if !decrypts || err != nil || string(plaintext) != "opened" {
			fail()
		}
		return "opens"
	}
}

// TestWycheproofRSASignatures: no message of these files is a JWS signing
// input (text, a dot, text), so that none of the signatures can be judged as it
// is marked; RS256 in json_web_signature_test.json takes their place. What is
// left to hold: behind a signing input of ours, every one is refused, and keys
// with another exponent than 65537 do not get into a key ring.
func TestWycheproofRSASignatures(t *testing.T) {
	for bits, want := range map[int]counts{
		2048: {"applicable": 0, "refused: sign.wrong": 255, "refused: jws.signature-length": 2, "exponent 3": 2},
		3072: {"applicable": 0, "refused: sign.wrong": 256, "refused: jws.signature-length": 2, "exponent 3": 1},
		4096: {"applicable": 0, "refused: sign.wrong": 256, "refused: jws.signature-length": 2},
	} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			got := counts{"applicable": 0}
			for _, g := range readVectors(t, fmt.Sprintf("rsa_signature_%d_sha256_test.json", bits)).TestGroups {
				key := g.signatureKey(t)
				for _, v := range g.Tests {
					if strings.Count(string(unhex(t, v.Msg)), ".") == 1 {
						got["applicable"]++
					}
					if key.E != 65537 {
						if err := cert.CheckKey(key); err == nil {
							t.Errorf("%d: a key with exponent %d is taken", v.ID, key.E)
						}
						got[fmt.Sprintf("exponent %d", key.E)]++
						continue
					}
					token := b64([]byte(`{"alg":"RS256"}`)) + "." + b64(unhex(t, v.Msg)) + "." + b64(unhex(t, v.Sig))
					if payload, err := verify(token, key); err == nil || payload != nil {
						t.Errorf("%d %s: accepted for another message", v.ID, v.Comment)
					} else {
						got["refused: "+string(faultOf(err))]++
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
