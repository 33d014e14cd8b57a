package sealhttp_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// mute decrypts, but its store refuses to sign.
type mute struct{ keyring.Private }

func (mute) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the store refuses")
}

// TestSealedOnTheWire checks what a service receives and what is sent on each of the five
// endpoints of the vendor's specification.
func TestSealedOnTheWire(t *testing.T) {
	for _, e := range []struct{ method, path, outer string }{
		{"POST", "/api/evaluation", "eval_id"},
		{"POST", "/api/evaluation/2025-01-01", "eval_id"},
		{"PATCH", "/api/evaluation/e-1", "eval_id"},
		{"POST", "/api/docv/upload", "docv_previous_reference_id"},
		{"PATCH", "/api/docv/upload/d-1", "docv_previous_reference_id"},
	} {
		const payload = `{ "n":9007199254740993, "d":1.10, "s":"\u0041<&>" }`
		answer := fmt.Sprintf(`{"%s":"e-1", "exact": 1.10 , "n":9007199254740993}`, e.outer)
		var seen string
		s := provider(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen = string(body)
			if r.Header.Get("Content-Type") != "application/json" || r.ContentLength != int64(len(body)) {
				t.Errorf("the service got %s of %d bytes", r.Header.Get("Content-Type"), r.ContentLength)
			}
			if m, ok := sealhttp.MessageFrom(r.Context()); !ok || m.(*sealane.Verified).Signer().ID != "customer" {
				t.Error("the service cannot see who signed")
			}
			io.WriteString(w, answer)
		})
		tap := &recording{}
		client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: tap}}
		got, err := client.Do(request(t, e.method, s.URL+e.path, payload))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(got.Body)
		if seen != payload || string(body) != answer {
			t.Errorf("%s %s: the service saw %s, the client %s", e.method, e.path, seen, body)
		}
		if got.ContentLength != int64(len(answer)) || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("length %d, type %s", got.ContentLength, got.Header.Get("Content-Type"))
		}
		if m, ok := sealhttp.MessageFrom(got.Request.Context()); !ok ||
			m.(*sealane.Verified).Signer().ID != "provider" {
			t.Error("the client cannot see who signed")
		}
		if !regexp.MustCompile(`^\{"encrypted_request":"[\w.-]+"\}$`).MatchString(tap.request) ||
			tap.trigger != "true" || tap.accept != "application/json" {
			t.Errorf("%s %s: sent %.60s with X-Payload-Encrypted %q, Accept %q", e.method, e.path, tap.request,
				tap.trigger, tap.accept)
		}
		if !regexp.MustCompile(`^\{"` + e.outer +
			`":"e-1","encrypted_response":"[\w.-]+"\}$`).MatchString(tap.answer) {
			t.Errorf("%s %s: answered %.80s", e.method, e.path, tap.answer)
		}
	}
}

// recording is a recorded exchange.
type recording struct{ request, answer, trigger, accept string }

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.request, r.trigger, r.accept = string(body), req.Header.Get("X-Payload-Encrypted"), req.Header.Get("Accept")
	req = req.Clone(req.Context())
	req.Body, _ = req.GetBody()
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(answer.Body)
	r.answer = string(got)
	answer.Body = io.NopCloser(strings.NewReader(r.answer))
	return answer, err
}

func TestErrorsOfTheTable(t *testing.T) {
	forged := func(code string) string {
		token, err := malform.Make(fault.Code(code),
			malform.Material{Payload: []byte("{}"), Nested: true, Signer: testkey.RSA(t, "customer", 2048),
				Recipient: &testkey.RSA(t, "provider", 2048).PublicKey, Other: testkey.RSA(t, "stranger", 2048)})
		if err != nil {
			t.Fatal(err)
		}
		return `{"encrypted_request":"` + string(token) + `"}`
	}
	good := wrapped(t, customer(t), "{}")
	for _, c := range []struct {
		name, body   string
		status       int
		fault        string
		outcome      profile.Outcome
		changeServer func(*sealane.Config)
	}{
		{"no key of the customer", good, 400, "local.no-key-of-partner", sealane.ErrNotSupported,
			func(c *sealane.Config) { c.Theirs = nil }},
		{"no key of the provider", good, 400, "local.no-key-of-ours", sealane.ErrNotSupported,
			func(c *sealane.Config) { c.Ours = nil }},
		{"no key, and a bad body", "garbage", 400, "local.no-key-of-partner", sealane.ErrNotSupported,
			func(c *sealane.Config) { c.Theirs = nil }},
		{"empty body", "", 400, "body.empty", sealane.ErrFormat, nil},
		{"not JSON", "encrypted_request=eyJ", 400, "body.not-json", sealane.ErrFormat, nil},
		{"an array", `["eyJ"]`, 400, "body.not-object", sealane.ErrFormat, nil},
		{"bare token", strings.Trim(strings.TrimPrefix(good, `{"encrypted_request":`), `"}`), 400, "body.bare-token",
			sealane.ErrFormat, nil},
		{"other member", `{"encrypted_payload":"eyJ"}`, 400, "body.member-unexpected", sealane.ErrFormat, nil},
		{"other case", strings.Replace(good, "encrypted_request", "Encrypted_Request", 1), 400,
			"body.member-unexpected", sealane.ErrFormat, nil},
		{"no member", `{}`, 400, "body.member-missing", sealane.ErrFormat, nil},
		{"member twice", strings.Replace(good, `{`, `{"encrypted_request":"a",`, 1), 400, "body.duplicate-member",
			sealane.ErrFormat, nil},
		{"member twice, escaped", strings.Replace(good, `{`, `{"\u0065ncrypted_request":"a",`, 1), 400,
			"body.duplicate-member", sealane.ErrFormat, nil},
		{"a second member", strings.Replace(good, `}`, `,"data":{"national_id":"1"}}`, 1), 400,
			"body.member-unexpected", sealane.ErrFormat, nil},
		{"not a string", `{"encrypted_request":{"protected":"eyJ"}}`, 400, "body.member-not-string", sealane.ErrFormat,
			nil},
		{"null", `{"encrypted_request":null}`, 400, "body.member-not-string", sealane.ErrFormat, nil},
		{"trailing", good + "{}", 400, "body.not-json", sealane.ErrFormat, nil},
		{"bad UTF-8", "{\"encrypted_request\":\"\xff\"}", 400, "body.utf8", sealane.ErrFormat, nil},
		{"empty token", `{"encrypted_request":""}`, 400, "jwe.empty", sealane.ErrNotJWE, nil},
		{"no JWE", `{"encrypted_request":"not.a.token"}`, 400, "jwe.swapped", sealane.ErrNotJWE, nil},
		{"zip", forged("jwe.header-zip"), 400, "jwe.header-zip", sealane.ErrNotJWE, nil},
		{"SHA-1", forged("jwe.alg-rsa-oaep-sha1"), 400, "jwe.alg-rsa-oaep-sha1", sealane.ErrNotJWE, nil},
		{"other key", wrapped(t, customer(t, func(c *sealane.Config) { c.Theirs = stranger(t) }), "{}"), 400,
			"open.key", sealane.ErrDecryption, nil},
		{"tag", forged("open.tag"), 400, "open.tag", sealane.ErrDecryption, nil},
		{"unsigned", forged("jws.not-signed"), 400, "jws.not-signed", sealane.ErrNotJWS, nil},
		{"alg none", forged("jws.alg-none"), 400, "jws.alg-none", sealane.ErrNotJWS, nil},
		{"other signer", wrapped(t, customer(t, func(c *sealane.Config) { c.Ours = stranger(t) }), "{}"), 400,
			"sign.wrong", sealane.ErrSignature, nil},
		{"cannot seal", good, 500, "local.key-unavailable", sealane.ErrSealingFailed,
			func(c *sealane.Config) { c.Ours = testkey.Ours(t, "provider", mute{testkey.RSA(t, "provider", 2048)}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var change []func(*sealane.Config)
			if c.changeServer != nil {
				change = append(change, c.changeServer)
			}
			s := provider(t, echo, change...)
			answer, body := raw(t, s.URL+"/api/evaluation", c.body, "X-Payload-Encrypted", "true", "Content-Type",
				"application/json")
			id, text := errorBody(t, body)
			due := testlane.ErrorText(t, "riskos", c.outcome)
			if answer.StatusCode != c.status || text != due ||
				answer.Header.Get("Content-Type") != "application/json" {
				t.Errorf("answered %d %s", answer.StatusCode, body)
			}
			if log := s.logged(); id == "" || !strings.Contains(log, "id="+id) ||
				!strings.Contains(log, "fault="+c.fault) {
				t.Errorf("the operator cannot find %q and %q in: %s", id, c.fault, log)
			}
			// The client's side returns a typed error for the same text.
			replay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, body)
			}))
			defer replay.Close()
			_, _, err := do(t, customer(t), request(t, "POST", replay.URL+"/api/evaluation", "{}"))
			var partner *sealhttp.PartnerError
			if !errors.Is(err, c.outcome) || !errors.As(err, &partner) || partner.Status != c.status ||
				partner.ID != id || partner.Text != due {
				t.Errorf("the client's error is %v", err)
			}
		})
	}
}

// TestBothSpellings: the vendor's specification spells one of its errors in two ways.
func TestBothSpellings(t *testing.T) {
	row, _ := testlane.Profile(t, "riskos").Errors.Row(sealane.ErrNotSupported)
	if len(row.Also) != 1 {
		t.Fatalf("the profile also has %q", row.Also)
	}
	for _, text := range []string{row.Text, row.Also[0]} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			json.NewEncoder(w).Encode(map[string]string{"eval_id": "123456-abcdef-123456", "error": text})
		}))
		defer s.Close()
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
		if !errors.Is(err, sealane.ErrNotSupported) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
