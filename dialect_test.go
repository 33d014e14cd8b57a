package sealane_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

const ledgerFile = "testdata/profiles/ledger.yaml"

func ledgerProfile(t testing.TB) *profile.Profile {
	t.Helper()
	p, err := profile.Load(ledgerFile)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ledger returns both ends of a lane whose profile is a file of its own.
func ledger(t testing.TB) (buyer, supplier *sealane.Lane) {
	t.Helper()
	p := ledgerProfile(t)
	b, s := testkey.RSA(t, "buyer", 3072), testkey.RSA(t, "supplier", 3072)
	return testlane.New(t, sealane.Config{
			Profile: p,
			Side:    sealane.ClientSide,
			Ours:    testkey.Ours(t, "b1", b),
			Theirs:  testkey.Theirs(t, "s1", s),
		}),
		testlane.New(t, sealane.Config{
			Profile: p,
			Side:    sealane.ServerSide,
			Ours:    testkey.Ours(t, "s1", s),
			Theirs:  testkey.Theirs(t, "b1", b),
		})
}

// headerOf reads the first header of a token without our code.
func headerOf(t testing.TB, token []byte) (alg, enc string) {
	t.Helper()
	text, _, _ := bytes.Cut(token, []byte{'.'})
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Alg, Enc string }
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	return h.Alg, h.Enc
}

// TestDialectIsAFile: a dialect with other algorithms is one file. Its messages go
// over HTTP in both directions with what the file names and nothing else.
func TestDialectIsAFile(t *testing.T) {
	buyer, supplier := ledger(t)
	var request []byte
	handler := &sealhttp.Handler{Lane: sealhttp.OneLane(supplier),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m, _ := sealhttp.MessageFrom(r.Context())
			if v, ok := m.(*sealane.Verified); !ok || v.Signer().ID != "b1" ||
				string(v.Payload()) != `{"id":"i-1","total":"9.90"}` {
				t.Errorf("the service sees %T", m)
			}
			io.WriteString(w, `{"id":"i-1","reference":"r-1","number":"7"}`)
		})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		request, r.Body = body, io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()

	answer, err := sealhttp.NewClient(buyer).Post(server.URL+"/invoices/7", "application/json",
		strings.NewReader(`{"id":"i-1","total":"9.90"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != `{"id":"i-1","reference":"r-1","number":"7"}` {
		t.Errorf("%s, %v", body, err)
	}
	m, _ := sealhttp.MessageFrom(answer.Request.Context())
	if v, ok := m.(*sealane.Verified); !ok || v.Signer().ID != "s1" {
		t.Errorf("the answer is %T", m)
	}

	var sealed struct{ Sealed string }
	if err := json.Unmarshal(request, &sealed); err != nil {
		t.Fatal(err)
	}
	if key, enc := headerOf(t, []byte(sealed.Sealed)); key != "RSA-OAEP-256" || enc != "A128CBC-HS256" {
		t.Errorf("sent with %s and %s", key, enc)
	}
	r := inspect.Examine(request,
		inspect.Options{Profiles: []*profile.Profile{ledgerProfile(t), testlane.Profile(t, "riskos"),
			testlane.Profile(t, "rdx")},
			Ours:   []inspect.Key{{Name: "s1", ID: "s1", Private: testkey.RSA(t, "supplier", 3072)}},
			Theirs: []inspect.Key{{Name: "b1", ID: "b1", Public: &testkey.RSA(t, "buyer", 3072).PublicKey}}})
	if r.Fault != "" || r.Inner == nil || r.Signature == nil || !r.Signature.Holds || !r.Profiles[0].Fits ||
		r.Opening.Content != "A128CBC-HS256" {
		t.Errorf("inspect says %q: %s", r.Fault, r.Summary)
	}

	token, err := supplier.Seal(t.Context(), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, enc := headerOf(t, token); enc != "A256CBC-HS512" {
		t.Errorf("answered with %s", enc)
	}
}

// TestDialectRefusesTheShipped: messages of all shipped profiles are refused, and so are
// those with the algorithms of the other direction.
func TestDialectRefusesTheShipped(t *testing.T) {
	_, supplier := ledger(t)
	refuse := func(name string, m malform.Material, want fault.Code, on error) {
		token, err := malform.Make("", m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := supplier.Open(t.Context(), token)
		if got != nil || !errors.Is(err, on) || sealane.FaultOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	right := ledgerMaterial(t)
	m := right
	m.Content = alg.A256GCM
	refuse("A256GCM", m, fault.EncNotAllowed, sealane.ErrNotJWE)
	m.Content = alg.A256CBCHS512
	refuse("A256CBC-HS512", m, fault.EncNotAllowed, sealane.ErrNotJWE)
	m = right
	m.Signature = alg.RS256
	refuse("RS256", m, fault.AlgNotAllowed.In(fault.JWS), sealane.ErrNotJWS)
}

func ledgerMaterial(t testing.TB) malform.Material {
	return malform.Material{Payload: []byte(`{"id":"i-1"}`), Signer: testkey.RSA(t, "buyer", 3072),
		Recipient: &testkey.RSA(t, "supplier", 3072).PublicKey,
		SignerID:  "b1", RecipientID: "s1", Other: testkey.RSA(t, "stranger", 3072), Nested: true, Limit: 1 << 20,
		Signature: alg.PS256, Content: alg.A128CBCHS256}
}

// TestDialectsFaults: the lane refuses every fault of such a message, and inspect names it
// in the dialect's own terms.
func TestDialectsFaults(t *testing.T) {
	_, supplier := ledger(t)
	p, m := ledgerProfile(t), ledgerMaterial(t)
	o := inspect.Options{Profiles: []*profile.Profile{p}, MaxToken: m.Limit,
		Ours: []inspect.Key{
			{Name: "s1", ID: "s1", Private: testkey.RSA(t, "supplier", 3072)},
			{Name: "other", Private: testkey.RSA(t, "stranger", 3072)},
		},
		Theirs: []inspect.Key{
			{Name: "b1", ID: "b1", Public: &m.Signer.PublicKey},
			{Name: "other", Public: &m.Other.PublicKey},
		}}
	for _, v := range malform.VariantsOf(m) {
		want := v.Code
		switch {
		case v.Name == "bomb" || v.Code == fault.KidNotAllowed.In(fault.JWE) ||
			v.Code == fault.KidNotAllowed.In(fault.JWS) || v.Code == fault.TypNotAllowed.In(fault.JWE):
			continue // no fault in this dialect, or a long one
		case v.Name == "a128gcm", v.Name == "a256cbc-hs512":
			want = "" // right in the other direction, which a bare token may be of
		case v.Name == "behind-the-ciphertext":
			want = fault.OpenTagInCiphertext
		case v.Name == "payload-changed-afterwards":
			want = fault.SignatureContent
		}
		token, err := v.Make(m)
		if err != nil {
			t.Fatal(err)
		}
		if v.Code != fault.TooLarge.In(fault.JWE) {
			if got, err := supplier.Open(t.Context(), token); got != nil || err == nil {
				t.Errorf("%s (%s): the lane opens it", v.Code, v.Name)
			}
		}
		r := inspect.Examine(token, o)
		if says := r.Summary + r.Next; r.Fault != want ||
			v.Code != fault.OpenCEKLength && strings.Contains(says, "A256GCM takes") {
			t.Errorf("%s (%s): inspect says %q: %s", v.Code, v.Name, r.Fault, says)
		}
	}
}
