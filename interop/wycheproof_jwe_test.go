package interop

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/alg"
)

const jweFile = "json_web_encryption_test.json"

// TestWycheproofJWE judges every case of the file: our algorithms as marked, and all others
// by the fault for which they are refused. It uses the codec, because a lane would have to
// know each key ID.
func TestWycheproofJWE(t *testing.T) {
	t.Parallel()
	file := readVectors(t, jweFile)
	named, got := counts{}, counts{}
	contents := alg.Contents
	fallback := jwk{}
	for _, g := range file.TestGroups {
		if g.Private.Alg == "RSA-OAEP-256" {
			fallback = g.Private
		}
	}
	for _, g := range file.TestGroups {
		key := fallback
		if g.Private.Kty == "RSA" {
			key = g.Private
		}
		private := key.private(t)
		for _, v := range g.Tests {
			alg, enc := algorithms(v.JWE)
			for _, name := range []string{alg, enc} {
				switch name {
				case "RSA-OAEP-256", "RSA-OAEP", "A256GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512":
					named[name]++
				}
			}
			plaintext, err := decrypt(v.JWE, private)
			if err != nil && plaintext != nil {
				t.Errorf("%d: plaintext and an error", v.ID)
			}
			if _, ours := contents.Find(enc); ours && strings.HasPrefix(alg, "RSA-OAEP") {
				got[v.Result]++
				if (err == nil) != v.valid() || hex.EncodeToString(plaintext) != v.PT {
					t.Errorf("%d %s: marked %s, we read %x, %v", v.ID, v.Comment, v.Result, plaintext, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%d %s: %s with %s was opened", v.ID, v.Comment, alg, enc)
			}
			got[string(faultOf(err))]++
		}
	}
	if diff := cmp.Diff(counts{
		"RSA-OAEP-256": 7, "RSA-OAEP": 7, "A256GCM": 17, "A128GCM": 43, "A128CBC-HS256": 30, "A256CBC-HS512": 28,
	}, named); diff != "" {
		t.Error("cases that name our algorithms:", diff)
	}
	if diff := cmp.Diff(counts{
		"valid":           10, // no invalid case has only our algorithms
		"jwe.alg-missing": 1, "jwe.alg-not-allowed": 110, "jwe.enc-not-allowed": 4,
		"jwe.header-not-json": 2, "jwe.header-zip": 1, "jwe.json-serialization": 1, "jwe.parts": 10,
	}, got); diff != "" {
		t.Error(diff)
	}
}

// algorithms reads the header without any of our code.
func algorithms(token string) (alg, enc string) {
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return "", ""
	}
	var h struct{ Alg, Enc string }
	if json.Unmarshal(raw, &h) != nil {
		return "", ""
	}
	return h.Alg, h.Enc
}
