package sealhttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// ends returns the customer's and the provider's end of a RiskOS lane. Their keys are the
// same in every process, which a fuzz target needs.
func ends(t testing.TB) (customer, provider *sealane.Lane) {
	t.Helper()
	key, other := testkey.Fixed(), testkey.OtherFixed()
	p := testlane.Profile(t, "riskos")
	customer = testlane.New(t, sealane.Config{Profile: p, Side: sealane.ClientSide,
		Ours: testkey.Ours(t, "k", key), Theirs: testkey.Theirs(t, "o", other)})
	provider = testlane.New(t, sealane.Config{Profile: p, Side: sealane.ServerSide,
		Ours: testkey.Ours(t, "o", other), Theirs: testkey.Theirs(t, "k", key)})
	return customer, provider
}

func sealed(t testing.TB, lane *sealane.Lane, payload string) string {
	t.Helper()
	token, err := lane.Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// FuzzBody: the fast and the strict way to take a token out of a body return the same
// message, or refuse for the same reason. It is in the package because only there the two
// ways can be called separately.
func FuzzBody(f *testing.F) {
	lane, partner := ends(f)
	token := sealed(f, partner, `{"eval_id":"e-1"}`)
	for _, body := range []string{
		`{"eval_id":"e-1","encrypted_response":"$"}`, `{"encrypted_response":"$"}`, ` {"encrypted_response" : "$" } `,
		`{"encrypted_response":"$","eval_id":"e-1"}`,
		`{"eval_id":"e-1","encrypted_response":"$","x":""}`, `{"encrypted_response":"","encrypted_response":"$"}`,
		`{"encrypted_response":"$"}}`, `{"x":"\"encrypted_response\":\"","encrypted_response":"$"}`,
		`{"encrypted_response" : "x","a\"encrypted_response":"$"}`,
		`{"encrypted_response" :"~","a\"encrypted_response":"$"}`, `{"a\\\\":"","encrypted_response":"$"}`,
		`{"x":{"encrypted_response":"$"}}`, `{"encrypted_response":"\u0065$"}`, `{"encrypted_response":"$`,
		`{"error":"x"}`, "{\"encrypted_response\":\"$\xff\"}", "{\"encrypted_response\":\"$\n\"}",
	} {
		f.Add([]byte(strings.Replace(body, "$", token, 1)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fast, fastSiblings, fastErr := openBody(t.Context(), lane, body)
		var strict sealane.Message
		taken, siblings, err := takeToken(body, lane.Inbound())
		if err == nil {
			strict, err = lane.Open(t.Context(), taken)
		}
		if (fastErr == nil) != (err == nil) || sealane.FaultOf(fastErr) != sealane.FaultOf(err) ||
			sealane.OutcomeOf(fastErr) != sealane.OutcomeOf(err) {
			t.Fatalf("fast: %v\nstrict: %v", fastErr, err)
		}
		if err != nil {
			if fast != nil {
				t.Error("a message and an error")
			}
			return
		}
		if !bytes.Equal(fast.Payload(), strict.Payload()) || len(fastSiblings) != len(siblings) {
			t.Fatalf("fast: %q %v\nstrict: %q %v", fast.Payload(), fastSiblings, strict.Payload(), siblings)
		}
		for i, m := range siblings {
			if m.Name != fastSiblings[i].Name || !bytes.Equal(m.Value, fastSiblings[i].Value) {
				t.Errorf("siblings: %v, %v", m, fastSiblings[i])
			}
		}
	})
}

// FuzzToken: a token that is put into a body comes out of it, with any name of the member;
// so does one that was taken out of any body and has only a token's characters; and
// refusals are refusals of the format.
func FuzzToken(f *testing.F) {
	for _, body := range []string{`{"f":"e30.x.y"}`, `{"f":"\u0065"}`, `{"f":""}`, `{"f":1}`, `{"g":"x"}`,
		`{"f":"x","g":{"f":"y"}}`, "eyJ.a.b.c.d\r\n", `"eyJ"`, ` {"x":"ey"}`, `{}`, ``, `[]`, "{\"f\":\"\xff\"}"} {
		f.Add([]byte(body), "f", false)
		f.Add([]byte(body), "", true)
		f.Add([]byte(body), `a"<é\`, true)
	}
	riskos, err := profile.Load("riskos")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, field string, ignore bool) {
		if !utf8.ValidString(field) {
			return // a profile's file is UTF-8
		}
		p := riskos.Clone()
		p.Request.Body = profile.Body{ContentType: "application/json", Field: field}
		if field != "" {
			p.Request.Body.Others = map[bool]string{false: "refuse", true: "ignore"}[ignore]
		}
		compiled, err := p.Compile()
		if err != nil {
			return // a name that looks like a path of members is refused
		}
		form := compiled.Request()
		token, err := UnwrapToken(body, form)
		if err != nil {
			if token != nil || !errors.Is(err, sealane.ErrFormat) || !sealane.FaultOf(err).Known() {
				t.Errorf("%q and %v", token, err)
			}
			token = bytes.Map(func(r rune) rune { // the rest is still the text of a token
				if foreign(r) {
					return -1
				}
				return r
			}, body)
		}
		if len(token) == 0 && field == "" || bytes.ContainsFunc(token, foreign) {
			return
		}
		if again, err := UnwrapToken(WrapToken(token, form), form); err != nil || !bytes.Equal(again, token) {
			t.Errorf("%q in a body came out as %q: %v", token, again, err)
		}
	})
}

// FuzzHandler sends arbitrary bytes as a request's head and body, and the correct body with
// any head. The service sees a request only if the lane opens its body, and then with that
// payload; its answer is sent sealed. Any other request gets an error of the profile's
// table, and never a 2xx.
func FuzzHandler(f *testing.F) {
	customer, provider := ends(f)
	right := []byte(`{"encrypted_request":"` + sealed(f, customer, `{"id":"1"}`) + `"}`)
	for _, head := range []string{
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\n",
		"PATCH /api/evaluation/e-1 HTTP/1.1\nHost: a\nx-payload-encrypted: TRUE\nContent-Type: application/json; " +
			"charset=utf-8\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: false\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nX-Payload-Encrypted: false\n",
		"POST /api//evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\n",
		"GET /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nContent-Type: text/plain\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nContent-Encoding: gzip\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nContent-Length: 5\n",
		"POST /api/evaluation HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nTransfer-Encoding: chunked\n",
		"POST /api/evaluation/%2e%2e HTTP/1.1\nHost: a\nX-Payload-Encrypted: true\nContent-Length: 99999999999\n",
	} {
		for _, body := range [][]byte{nil, right, []byte(`{"encrypted_request":"x"}`), []byte(`{"id":"1"}`),
			[]byte("5\r\n{\"a\":\r\n0\r\n\r\n")} {
			f.Add(strings.ReplaceAll(head, "\n", "\r\n"), body)
		}
	}
	const answered = `{"eval_id":"e-1","secret":"of the service"}`
	var payload []byte // that the service has received; nil: it was not called
	handler := &Handler{
		Lane: OneLane(provider),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			payload, _ = io.ReadAll(r.Body) // a reader of bytes returns no error
			io.WriteString(w, answered)
		}),
		Log: slog.New(slog.DiscardHandler),
	}
	check := func(t *testing.T, head string, body []byte) {
		t.Helper()
		r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head+"\r\n"),
			bytes.NewReader(body))))
		if err != nil {
			return // net/http's server answers that by itself
		}
		if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		arrives, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(arrives), failing{err}))
		payload = nil
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if payload == nil {
			_, _, _, ok := provider.Profile().RecognizeError(w.Code, w.Body.Bytes())
			if w.Code < 400 || !ok || bytes.Contains(w.Body.Bytes(), []byte("secret")) {
				t.Fatalf("the service was not called, and the answer is %d %q", w.Code, w.Body)
			}
			return
		}
		_, listed := provider.Profile().Find(r.Method, r.URL)
		token, err := UnwrapToken(arrives, provider.Inbound())
		if err != nil || !listed ||
			!strings.EqualFold(strings.Join(r.Header.Values("X-Payload-Encrypted"), "|"), "true") {
			t.Fatalf("the service was called for %s %s: %v", r.Method, r.URL, err)
		}
		if m, err := provider.Open(t.Context(), token); err != nil || !bytes.Equal(m.Payload(), payload) {
			t.Fatalf("the service got %q; the lane: %v", payload, err)
		}
		m, _, err := openBody(t.Context(), customer, w.Body.Bytes())
		if w.Code != http.StatusOK || err != nil || string(m.Payload()) != answered {
			t.Fatalf("the answer %d %q: %v", w.Code, w.Body, err)
		}
	}
	f.Fuzz(func(t *testing.T, head string, body []byte) {
		check(t, head, body)
		check(t, head, right)
	})
}

// failing ends a body with an error, or without one.
type failing struct{ err error }

func (e failing) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return 0, io.EOF
}

// partner answers a client with its fields.
type partner struct {
	status int
	header http.Header
	body   []byte
}

func (p *partner) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: p.status, Status: fmt.Sprint(p.status), Proto: "HTTP/1.1", ProtoMajor: 1,
		ProtoMinor: 1, Header: p.header,
		Body: io.NopCloser(bytes.NewReader(p.body)), ContentLength: -1, Request: r}, nil
}

// FuzzAnswer answers a client with arbitrary bytes. A 2xx with a body is returned only as
// the payload that the partner signed, and only if it fits the request; for everything
// unusable the error says that the request may have been processed.
func FuzzAnswer(f *testing.F) {
	customer, provider := ends(f)
	token := sealed(f, provider, `{"eval_id":"e-1","id":"1"}`)
	other := sealed(f, provider, `{"eval_id":"e-2","id":"2"}`)
	for _, status := range []int{200, 201, 204, 304, 400, 429, 500, 101, 0} {
		for _, body := range []string{`{"eval_id":"e-1","encrypted_response":"$"}`,
			`{"eval_id":"e-2","encrypted_response":"$"}`, `{"eval_id":"e-1","encrypted_response":"~"}`,
			`{"eval_id":"e-1"}`,
			testlane.ErrorBody(f, "riskos", sealane.ErrDecryption),
			testlane.ErrorBody(f, "riskos", sealane.ErrSealingFailed), ``, `{}`} {
			f.Add(status, []byte(strings.NewReplacer("$", token, "~", other).Replace(body)))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", "https://a.example/api/evaluation/e-1",
			strings.NewReader(`{"id":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := (&Transport{Lane: OneLane(customer), Base: &partner{status, http.Header{}, body}}).RoundTrip(r)
		if err != nil {
			var refused *PartnerError
			if answer != nil || !errors.Is(err, sealane.ErrMayBeProcessed) && !errors.As(err, &refused) {
				t.Errorf("an answer as well, or no word on whether the request was processed: %v", err)
			}
			return
		}
		got, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil {
			t.Fatal(err)
		}
		m, opened := MessageFrom(answer.Request.Context())
		if !opened {
			if success(status) && status != http.StatusNoContent || !bytes.Equal(got, body) {
				t.Errorf("%d was not encrypted: %q", status, got)
			}
			return
		}
		if _, verified := m.(*sealane.Verified); !verified || string(got) != `{"eval_id":"e-1","id":"1"}` {
			t.Errorf("%d returns %q, verified: %t", status, got, verified)
		}
	})
}
