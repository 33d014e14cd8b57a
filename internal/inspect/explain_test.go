package inspect_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

func both(t testing.TB) []*profile.Profile {
	return []*profile.Profile{testlane.Profile(t, "rdx"), testlane.Profile(t, "riskos")}
}

// The header is that of the vendor's printed sample; the other parts have its lengths and
// are zeros.
func sampleLike() []byte {
	zeros := func(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"RDXMETEST-PKE-ACS-CC-2048SHA2-DEV","alg":"RSA-OAE` +
		`P","enc":"A256GCM"}`))
	return []byte(strings.Join([]string{header, zeros(256), zeros(12), zeros(1527), zeros(16)}, "."))
}

func TestPrintedSampleIsExplained(t *testing.T) {
	for name, profiles := range map[string][]*profile.Profile{"rdx": {testlane.Profile(t, "rdx")}, "all": both(t)} {
		r := inspect.Examine(sampleLike(), inspect.Options{Profiles: profiles})
		report := text(t, r)
		if r.Fault != fault.AlgSHA1 || r.Outer.RSABits != 2048 {
			t.Errorf("%s: fault %q, RSA-%d", name, r.Fault, r.Outer.RSABits)
		}
		var sizes []int
		for _, p := range r.Outer.Parts {
			sizes = append(sizes, p.Bytes)
		}
		if want := []int{76, 256, 12, 1527, 16}; !slices.Equal(sizes, want) {
			t.Errorf("%s: parts have %v bytes, want %v", name, sizes, want)
		}
		for _, want := range []string{
			"RSA-OAEP", "RSA-OAEP-256", "AcceptRSAOAEP", "1,527", "RSA-2048",
			`"RDXMETEST-PKE-ACS-CC-2048SHA2-DEV"`,
			"entity RDXMETEST, use case PKE, component ACS, owner CC, 2048 bits with SHA2, environment DEV",
		} {
			if !strings.Contains(report, want) {
				t.Errorf("%s: the report lacks %q:\n%s", name, want, report)
			}
		}
		for _, m := range r.Outer.Members {
			if m.Name == "typ" || m.Name == "cty" {
				t.Errorf("%s: a %s appears", name, m.Name)
			}
		}
	}
	r := inspect.Examine(sampleLike(), inspect.Options{
		Profiles:      []*profile.Profile{testlane.Profile(t, "rdx")},
		AcceptRSAOAEP: true,
	})
	if r.Fault != "" || !r.Profiles[0].Fits {
		t.Errorf("with RSA-OAEP accepted: %q\n%s", r.Fault, text(t, r))
	}
}

func TestAroundTheToken(t *testing.T) {
	riskos, rdx := testlane.Profile(t, "riskos"), testlane.Profile(t, "rdx")
	token, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	sealedToken, err := malform.Make("", material(rdx))
	if err != nil {
		t.Fatal(err)
	}
	wide := []byte{0xff, 0xfe}
	for _, c := range token {
		wide = append(wide, c, 0)
	}
	for _, c := range []struct {
		name string
		data string
		p    *profile.Profile
		want fault.Code
		open bool
	}{
		{"request", `{"encrypted_request":"` + string(token) + `"}`, riskos, "", true},
		{"answer", `{"eval_id":"1","encrypted_response":"` + string(token) + `","new":1}`, riskos, "", true},
		{"request, indented", "\n{\n  \"encrypted_request\" : \"" + string(token) + "\"\n}\n", riskos, "", true},
		{"bare", string(token), riskos, "", true},
		{"bare rdx", string(sealedToken), rdx, "", true},
		{"line break behind", string(token) + "\r\n", riskos, "", true},
		{"another member", `{"encrypted_request":"` + string(token) + `","id":"1"}`, riskos, fault.BodyUnexpected,
			true},
		{"other member", `{"data":"` + string(token) + `"}`, riskos, fault.BodyMissing, true},
		{"capital member", `{"Encrypted_Request":"` + string(token) + `"}`, riskos, fault.BodyMissing, true},
		{"deeper member", `{"body":{"encrypted_request":"` + string(token) + `"}}`, riskos, fault.BodyMissing, true},
		{"wrapped rdx", `{"payload_":"` + string(sealedToken) + `"}`, rdx, fault.BodyWrapped, true},
		{"quoted", `"` + string(token) + `"`, riskos, fault.BodyQuoted, true},
		{"single quotes", `'` + string(token) + `'`, riskos, fault.BodyQuoted, true},
		{"body as a JSON string", `"{\"encrypted_request\":\"` + string(token) + `\"}"`, riskos, fault.BodyQuoted,
			true},
		{"bearer", "Bearer " + string(token), riskos, fault.BodyBearerPrefix, true},
		{"header line", "Authorization: Bearer " + string(token), riskos, fault.BodyBearerPrefix, true},
		{"form", "encrypted_request=" + string(token), riskos, fault.BodyFormEncoded, true},
		{"percent", strings.ReplaceAll(string(token), ".", "%2E"), riskos, fault.BodyPercent, true},
		{"percent of JSON", url.PathEscape(`{"encrypted_request":"` + string(token) + `"}`), riskos, fault.BodyPercent,
			true},
		{"byte order mark", "\ufeff" + string(token), riskos, fault.BodyBOM, true},
		{"utf-16", string(wide), riskos, fault.BodyUTF8, true},
		{"member twice", `{"encrypted_request":"x","encrypted_request":"` + string(token) + `"}`, riskos,
			fault.BodyDuplicate, false},
		{"trailing data", `{"encrypted_request":"` + string(token) + `"}x`, riskos, fault.BodyNotJSON, true},
		{"no closing brace", `{"encrypted_request":"` + string(token) + `"`, riskos, fault.BodyNotJSON, true},
		{"cut JSON", `{encrypted_request:"` + string(token) + `"}`, riskos, fault.BodyNotJSON, true},
		{"array", `["` + string(token) + `"]`, riskos, fault.BodyNotObject, true},
		{"number", `{"encrypted_request":17}`, riskos, fault.BodyType, false},
		{"null", `{"encrypted_request":null}`, riskos, fault.BodyType, false},
		{"empty member", `{"encrypted_request":""}`, riskos, fault.Empty.In(fault.JWE), false},
		{"blank", " \r\n ", riskos, fault.BodyEmpty, false},
		{"empty", "", riskos, fault.Empty.In(fault.JWE), false},
		{"plain", `{"id":"1","data":{}}`, riskos, fault.BodyMissing, false},
		{"plain rdx", `{"TransactionId":"1"}`, rdx, fault.BodyNotSealed, false},
		{"plain, no profile", `{"TransactionId":"1"}`, nil, fault.BodyNotSealed, false},
		{"wrapped, no profile", `{"token":"` + string(token) + `"}`, nil, "", true},
		{"hello", "hello", riskos, fault.Parts.In(fault.JWE), false},
		{"pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", riskos, fault.Parts.In(fault.JWE),
			false},
		{"line break inside", string(token[:100]) + "\n" + string(token[100:]), riskos,
			fault.Base64Space.In(fault.JWE), true},
		{"escaped line break inside",
			`{"encrypted_request":"` + string(token[:100]) + `\n` + string(token[100:]) + `"}`, riskos,
			fault.Base64Space.In(fault.JWE), true},
		{"invalid utf-8", "{\"encrypted_request\":\"" + string(token) + "\",\"a\":\"\xff\"}", riskos, fault.BodyUTF8,
			true},
	} {
		r := inspect.Examine([]byte(c.data), options(c.p))
		opened := r.Opening != nil && r.Opening.Content == "A256GCM"
		if r.Fault != c.want || opened != c.open {
			t.Errorf("%s: fault %q, want %q; opened %v, want %v\n%s", c.name, r.Fault, c.want, opened, c.open,
				text(t, r))
		}
		if leaks(text(t, r)) {
			t.Errorf("%s: the report holds the payload", c.name)
		}
	}
}

func TestErrorAnswers(t *testing.T) {
	riskos := testlane.Profile(t, "riskos").Errors
	row, _ := riskos.Row(sealane.ErrDecryption)
	unsupported, _ := riskos.Row(sealane.ErrNotSupported)
	decryption := riskos.Render("123456-abcdef-123456", row.Text)
	r := inspect.Examine(decryption, inspect.Options{Profiles: both(t)})
	if r.Kind != inspect.KindAnswer || r.Fault != "" || r.Answer == nil || r.Answer.Profile != "riskos" ||
		r.Answer.Outcome != "decryption" || r.Answer.ID != "123456-abcdef-123456" || r.Answer.Text != row.Text {
		t.Errorf("%+v %+v", r, r.Answer)
	}
	if !strings.Contains(text(t, r), "open.*") || !strings.Contains(r.Next, "123456-abcdef-123456") {
		t.Error(text(t, r))
	}
	for body, outcome := range map[string]string{
		string(riskos.Render("1", unsupported.Also[0])):           "not-supported",
		testlane.ErrorBody(t, "riskos", sealane.ErrSealingFailed): "sealing-failed",
		`{"error":"rate_limit"}`:                                  "",
		testlane.ErrorBody(t, "rdx", sealane.ErrDecryption):       "decryption",
	} {
		if r := inspect.Examine([]byte(body), inspect.Options{Profiles: both(t)}); r.Answer == nil ||
			r.Answer.Outcome != outcome {
			t.Errorf("%s: %+v", body, r.Answer)
		}
	}
	secret := `{"error":"` + marker + ` is not a name"}`
	if r := inspect.Examine([]byte(secret), inspect.Options{Profiles: both(t)}); leaks(text(t, r)) {
		t.Error("an unknown text is shown")
	}
}

func TestKeyOfAnotherEnvironment(t *testing.T) {
	rdx := testlane.Profile(t, "rdx")
	m := material(rdx)
	m.RecipientID = otherAlias
	token, err := malform.Make("", m)
	if err != nil {
		t.Fatal(err)
	}
	o := options(rdx)
	o.Ours = o.Ours[:1] // the STAG key alone, which opens it
	r := inspect.Examine(token, o)
	if r.Fault != fault.OpenKeyOther || !strings.Contains(r.Summary, "STAG") || !strings.Contains(r.Summary, "PROD") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
	k := keyset()
	o.Ours = []inspect.Key{{Name: "stag.key", Environment: "STAG", Private: k.signer}}
	r = inspect.Examine(token, o)
	if r.Fault != fault.OpenKey || !strings.Contains(r.Summary, "another environment") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
	o.Ours = []inspect.Key{{Name: "prod.key", ID: otherAlias, Private: k.signer}}
	r = inspect.Examine(token, o)
	if r.Fault != fault.OpenKey || !strings.Contains(r.Summary, "certificate under the same name") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
}

func TestSignerOfAnotherEnvironment(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	m := material(riskos)
	m.SignerID = ""
	token, err := malform.Make("", m)
	if err != nil {
		t.Fatal(err)
	}
	o := options(riskos)
	o.Theirs[0].Environment = "PROD" // opened by a key of STAG
	if r := inspect.Examine(token, o); r.Fault != fault.SignatureOther {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
	m.Signer = keyset().recipient
	if token, err = malform.Make("", m); err != nil {
		t.Fatal(err)
	}
	if r := inspect.Examine(token, options(riskos)); r.Fault != fault.SignatureOther ||
		!strings.Contains(r.Summary, "one of our keys") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
}

func TestNestedMessageOfAnUnsignedProfile(t *testing.T) {
	rdx := testlane.Profile(t, "rdx")
	m := material(rdx)
	m.Nested = true
	token, err := malform.Make("", m)
	if err != nil {
		t.Fatal(err)
	}
	r := inspect.Examine(token, options(rdx))
	if r.Fault != "" || r.Inner == nil || !strings.Contains(text(t, r), "has no signatures") {
		t.Errorf("%q\n%s", r.Fault, text(t, r))
	}
}

func TestReveal(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	token, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	o := options(riskos)
	o.Reveal = true
	r := inspect.Examine(token, o)
	if r.Payload.Text != string(payload) || !r.Payload.Verified || !strings.Contains(text(t, r), marker) {
		t.Error("the payload is not revealed")
	}
	m := material(riskos)
	m.Payload = []byte{0xff, 0xfe, 0}
	if token, err = malform.Make("", m); err != nil {
		t.Fatal(err)
	}
	if r := inspect.Examine(token, o); r.Payload.Base64 != "//4A" || r.Payload.Text != "" {
		t.Errorf("%+v", r.Payload)
	}
}

// A header can repeat claims of the payload, and contain keys.
func TestHeaderValuesAreNotTold(t *testing.T) {
	header := fmt.Sprintf(`{"alg":"RS256","sub":%q,"jwk":{"kty":"RSA","d":%q},"note":[%q],"kid":"k\u001b[2J"}`, marker,
		marker, marker)
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(header)) + "." + encode(payload) + "." + encode(make([]byte, 256))
	r := inspect.Examine([]byte(token), inspect.Options{Profiles: both(t)})
	asJSON, _ := json.Marshal(r)
	if leaks(text(t, r)) || leaks(string(asJSON)) {
		t.Errorf("%s", text(t, r))
	}
	if r.Fault != fault.Swapped.In(fault.JWE) || r.Inner == nil || len(r.Inner.Members) != 5 {
		t.Errorf("%q\n%s", r.Fault, text(t, r))
	}
	if bytes.ContainsRune([]byte(text(t, r)), 0x1b) {
		t.Error("an escape sequence reaches the terminal")
	}
}

func TestColor(t *testing.T) {
	var b bytes.Buffer
	if err := inspect.Examine(sampleLike(), inspect.Options{}).WriteText(&b, true); err != nil ||
		!strings.Contains(b.String(), "\x1b[31m✗\x1b[0m") {
		t.Errorf("no color: %v", err)
	}
}

// gone is a key whose store does not answer.
type gone struct{ *rsa.PrivateKey }

func (gone) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errors.New("token removed")
}

func TestKeyThatCannotBeUsed(t *testing.T) {
	rdx := testlane.Profile(t, "rdx")
	token, err := malform.Make("", material(rdx))
	if err != nil {
		t.Fatal(err)
	}
	o := inspect.Options{
		Profiles: []*profile.Profile{rdx},
		Ours:     []inspect.Key{{Name: "hsm", ID: alias, Private: gone{keyset().recipient}}},
	}
	if r := inspect.Examine(token, o); r.Fault != fault.KeyUnavailable ||
		!strings.Contains(r.Summary, "token removed") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
}

func TestHostileSizes(t *testing.T) {
	for name, data := range map[string][]byte{
		"dots":     bytes.Repeat([]byte{'.'}, 20<<20),
		"quotes":   bytes.Repeat([]byte{'"'}, 1<<20),
		"braces":   bytes.Repeat([]byte{'{'}, 1<<20),
		"brackets": bytes.Repeat([]byte{'['}, 1<<20),
		"percent":  bytes.Repeat([]byte("%2E"), 1<<20),
		"blanks":   bytes.Repeat([]byte{' '}, 20<<20),
		"members":  []byte(`{` + strings.Repeat(`"a":"b.c.d",`, 100_000) + `"z":1}`),
		"nested":   []byte(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)),
		"header":   append([]byte("ey"), append(bytes.Repeat([]byte{'A'}, 20<<20), "...."...)...),
	} {
		if r := inspect.Examine(data, options(testlane.Profile(t, "riskos"))); r.Fault == "" {
			t.Errorf("%s: no fault", name)
		} else if report := text(t, r); len(report) > 200_000 {
			t.Errorf("%s: the report has %d bytes", name, len(report))
		}
	}
}
