package interop

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
)

// fixed keys are the same in every process, which the corpus of a fuzz target needs: two of
// Wycheproof's.
type fixed struct {
	recipient, signer *rsa.PrivateKey
	content           content // a CEK that is encrypted to recipient once
}

var fixedOnce struct {
	sync.Once
	fixed
}

func fixedKeys(t testing.TB) *fixed {
	fixedOnce.Do(func() {
		for _, g := range readVectors(t, jweFile).TestGroups {
			if g.Comment == "jwe_rsa_oaep_256" && fixedOnce.recipient == nil {
				fixedOnce.recipient = g.Private.private(t)
			}
		}
		for _, g := range readVectors(t, jwsFile).TestGroups {
			if g.Comment == "rs256" && fixedOnce.signer == nil {
				fixedOnce.signer = g.Private.private(t)
			}
		}
		cek := bytes.Repeat([]byte{7}, 32)
		fixedOnce.content = content{
			cek:          cek,
			iv:           make([]byte, 12),
			encryptedKey: encryptCEK(t, cek, &fixedOnce.recipient.PublicKey),
		}
	})
	return &fixedOnce.fixed
}

// byUs reads a nested token with the codec instead of a lane: a lane accepts nothing that
// the codec refuses.
func (k *fixed) byUs(token string) ([]byte, error) {
	e, err := jose.ParseEncrypted(nil, []byte(token), maxToken, []*alg.KeyEncryption{alg.RSAOAEP256},
		[]*alg.Content{alg.A256GCM})
	if err != nil {
		return nil, err
	}
	inner, _, err := e.Decrypt([]crypto.Decrypter{k.recipient})
	if err != nil {
		return nil, err
	}
	return verify(string(inner), &k.signer.PublicKey)
}

func (k *fixed) byGoJOSE(token string) ([]byte, error) {
	got, err := goJOSE{}.Open(job{Signed: true, KeyEncryption: "RSA-OAEP-256",
		Private: k.recipient, Public: &k.signer.PublicKey, Input: []byte(token)})
	return got.Payload, err
}

// seal makes a nested token; heads are the texts of the headers.
func (k *fixed) seal(t testing.TB, outerHead, innerHead, payload string) string {
	t.Helper()
	return k.sealContent(t, outerHead, rawJWS(t, innerHead, payload, k.signer))
}

func (k *fixed) sealContent(t testing.TB, outerHead, inner string) string {
	t.Helper()
	c := k.content
	c.plaintext = []byte(inner)
	return c.rawJWE(t, outerHead)
}

// goJOSEOnly lists errors of go-jose for tokens that we accept, by a part of the text.
var goJOSEOnly = map[string]string{
	"failed to unmarshal nonce": "go-jose reads ACME's nonce (RFC 8555) as a string in every header; to us it is " +
		"an unknown member, which RFC 7515 section 4 says to ignore",
}

// stricter lists our refusals of tokens that go-jose accepts, each with its reason.
var stricter = map[fault.TokenFault]string{
	fault.Base64Space:     "Go's decoder passes over CR and LF; RFC 7515 section 2 has no line breaks",
	fault.Base64SpareBits: "one value has one text: otherwise two tokens are one message",
	fault.HeaderUTF8:      "RFC 7515 section 3: the header is UTF-8; go-jose replaces what is not",
	fault.HeaderDepth:     "bounds the work",
	fault.HeaderTooLarge:  "bounds the work: 4 KiB",
	fault.HeaderType: "alg, enc, kid, typ and cty are strings; go-jose does not look at typ and cty, and " +
		"takes null",
	fault.KidForm:    "1 to 128 printable ASCII characters; go-jose takes any string",
	fault.HeaderZip:  "no decompression: a bomb in one direction, an oracle in the other",
	fault.HeaderCrit: "go-jose knows b64 (RFC 7797) and takes an empty list; no profile has extensions",
	fault.HeaderB64:  "RFC 7797 is not in any profile",
	fault.HeaderJWK:  "keys do not come from messages",
	fault.HeaderJKU:  "keys do not come from messages",
	fault.HeaderX5U:  "keys do not come from messages",
	fault.HeaderX5C:  "keys do not come from messages",
}

func isStricter(code fault.Code) bool {
	_, name, ok := strings.Cut(string(code), ".")
	_, listed := stricter[fault.TokenFault(name)]
	return ok && listed
}

// agree checks that the two readers agree, and returns both results.
func (k *fixed) agree(t *testing.T, token string) (ours, theirs error) {
	t.Helper()
	payload, ours := k.byUs(token)
	other, theirs := k.byGoJOSE(token)
	switch {
	case ours != nil && payload != nil:
		t.Errorf("a payload and %v", ours)
	case ours == nil && theirs == nil:
		if !bytes.Equal(payload, other) {
			t.Errorf("we read %q, go-jose %q", payload, other)
		}
	case ours == nil:
		for part := range goJOSEOnly {
			if strings.Contains(theirs.Error(), part) {
				return ours, theirs
			}
		}
		t.Errorf("we accept what go-jose rejects: %v\n%s", theirs, token)
	case theirs == nil && !isStricter(faultOf(ours)):
		t.Errorf("go-jose accepts what we reject, and it is not on the list: %v\n%s", ours, token)
	}
	return ours, theirs
}

// TestKnownDifferences shows each entry of the two lists, in both layers if possible, so
// that no entry outlives its reason.
func TestKnownDifferences(t *testing.T) {
	k := fixedKeys(t)
	public, err := gojose.JSONWebKey{Key: &k.signer.PublicKey}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	x5c := `["` + base64.StdEncoding.EncodeToString(selfSigned(t, k.signer)) + `"]`
	shown := map[fault.TokenFault]bool{}
	check := func(name, token string, want fault.Code) {
		t.Helper()
		ours, theirs := k.agree(t, token)
		if theirs != nil || faultOf(ours) != want {
			t.Errorf("%s: go-jose says %v, we say %v, want %s from us only", name, theirs, ours, want)
		}
		_, f, _ := strings.Cut(string(want), ".")
		shown[fault.TokenFault(f)] = true
	}
	const outer, inner = `"alg":"RSA-OAEP-256","enc":"A256GCM"`, `"alg":"RS256"`
	wrap := func(members string) string { return b64([]byte("{" + members + "}")) }

	for _, c := range []struct {
		member string
		fault  fault.TokenFault
	}{
		{`"kid":"` + "\xff" + `"`, fault.HeaderUTF8},
		{`"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), fault.HeaderDepth},
		{`"x":"` + strings.Repeat("y", 5000) + `"`, fault.HeaderTooLarge},
		{`"typ":5`, fault.HeaderType},
		{`"kid":null`, fault.HeaderType},
		{`"kid":""`, fault.KidForm},
		{`"kid":"` + strings.Repeat("k", 129) + `"`, fault.KidForm},
		{`"kid":"../\u0000"`, fault.KidForm},
		{`"b64":true`, fault.HeaderB64},
		{`"jwk":` + string(public), fault.HeaderJWK},
		{`"jku":"https://example.com/keys"`, fault.HeaderJKU},
		{`"x5u":"https://example.com/certificate"`, fault.HeaderX5U},
		{`"x5c":` + x5c, fault.HeaderX5C},
	} {
		check("outer "+c.member, k.seal(t, wrap(outer+","+c.member), wrap(inner), "e30"), c.fault.In(fault.JWE))
		check("inner "+c.member, k.seal(t, wrap(outer), wrap(inner+","+c.member), "e30"), c.fault.In(fault.JWS))
	}
	check("inner crit", k.seal(t, wrap(outer), wrap(inner+`,"crit":["b64"],"b64":true`), "e30"), "jws.header-crit")
	check("zip", k.deflated(t, rawJWS(t, wrap(inner), "e30", k.signer)), "jwe.header-zip")
	check("spare bits of the payload", k.spareBits(t, wrap(outer), wrap(inner)), "jws.base64-spare-bits")

	good := k.seal(t, wrap(outer), wrap(inner), "e30")
	check("CR LF at the end", good+"\r\n", "jwe.base64-space")
	last := strings.Index("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1:])
	check("spare bits of the tag",
		good[:len(good)-1]+string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1]),
		"jwe.base64-spare-bits")

	for f := range stricter {
		if !shown[f] {
			t.Errorf("nothing shows that go-jose accepts what we refuse for %s", f)
		}
	}
	for part, reason := range goJOSEOnly {
		ours, theirs := k.agree(t, k.seal(t, wrap(outer), wrap(inner+`,"nonce":5`), "e30"))
		if ours != nil || theirs == nil || !strings.Contains(theirs.Error(), part) {
			t.Errorf("%s: go-jose says %v, we say %v", reason, theirs, ours)
		}
	}
	if ours, theirs := k.agree(t, good); ours != nil || theirs != nil {
		t.Error("the token that the others are made of:", ours, theirs)
	}
	t.Logf("%d kinds of token that go-jose accepts and we refuse", len(stricter))
}

// deflated returns a token whose content is compressed, as its zip member says.
func (k *fixed) deflated(t *testing.T, inner string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(inner)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return k.sealContent(t, b64([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF"}`)), b.String())
}

// spareBits changes the last character of the payload's text after signing: go-jose encodes
// the decoded payload again before it verifies.
func (k *fixed) spareBits(t *testing.T, outerHead, innerHead string) string {
	t.Helper()
	parts := strings.Split(rawJWS(t, innerHead, b64([]byte("x")), k.signer), ".")
	return k.sealContent(t, outerHead, parts[0]+"."+parts[1][:1]+"B."+parts[2])
}
