package sealhttp_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

var discard = slog.New(slog.DiscardHandler)

func (deaf) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errors.New("the store refuses")
}

// answering serves fixed answers, unsealed.
func answering(t *testing.T, status int, body string, headers ...string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// answerBody seals an answer as the provider.
func answerBody(t *testing.T, outer, payload string) string {
	t.Helper()
	token, err := testlane.New(t, config(t, sealane.ServerSide)).Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return `{` + outer + `"encrypted_response":"` + string(token) + `"}`
}

func TestAnswersThatMustNotBeBelieved(t *testing.T) {
	const accept = `{"id":"r-1","eval_id":"e-1","decision":"ACCEPT"}`
	for _, c := range []struct {
		name         string
		status       int
		body         string
		method, path string
		sent         string
		want         error
	}{
		{"not sealed", 200, accept, "POST", "/api/evaluation", `{"id":"r-1"}`, sealane.ErrNotSealed},
		{"not sealed, created", 201, accept, "POST", "/api/evaluation", `{"id":"r-1"}`, sealane.ErrNotSealed},
		{"empty", 200, "", "POST", "/api/evaluation", `{"id":"r-1"}`, sealane.ErrNotSealed},
		{"not JSON", 200, "<html>", "POST", "/api/evaluation", `{"id":"r-1"}`, sealane.ErrNotSealed},
		{"an error that says 200", 200, testlane.ErrorBody(t, "riskos", sealane.ErrDecryption), "POST",
			"/api/evaluation", `{"id":"r-1"}`, sealane.ErrNotSealed},
		{"outer eval_id of another", 200, answerBody(t, `"eval_id":"e-2",`, accept), "POST", "/api/evaluation",
			`{"id":"r-1"}`, sealane.ErrContradiction},
		{"outer eval_id is a number", 200, answerBody(t, `"eval_id":1,`, accept), "POST", "/api/evaluation",
			`{"id":"r-1"}`, sealane.ErrContradiction},
		{"answer to another request", 200, answerBody(t, `"eval_id":"e-1",`, accept), "POST", "/api/evaluation",
			`{"id":"r-2"}`, sealane.ErrContradiction},
		{"answer about another evaluation", 200, answerBody(t, `"eval_id":"e-1",`, accept), "PATCH",
			"/api/evaluation/e-9", `{}`, sealane.ErrContradiction},
		{"docv name on evaluation", 200,
			answerBody(t, `"docv_previous_reference_id":"d-2",`, `{"docv_previous_reference_id":"d-1"}`), "POST",
			"/api/evaluation", `{}`, sealane.ErrContradiction},
		{"outer twice", 200, answerBody(t, `"eval_id":"e-1","eval_id":"e-1",`, accept), "POST", "/api/evaluation",
			`{"id":"r-1"}`, sealane.ErrNotSealed},
		{"signed twice", 200, answerBody(t, `"eval_id":"e-1",`, `{"eval_id":"e-1","eval_id":"e-2"}`), "POST",
			"/api/evaluation", `{}`, sealane.ErrContradiction},
		{"sealed error of another", 400, answerBody(t, `"eval_id":"e-2",`, accept), "POST", "/api/evaluation",
			`{"id":"r-1"}`, sealane.ErrContradiction},
		{"path's identifier outside, nothing inside", 200, answerBody(t, `"eval_id":"e-2",`, `{}`), "PATCH",
			"/api/evaluation/e-1", `{}`, sealane.ErrContradiction},
		{"unreadable inside", 200, answerBody(t, `"eval_id":"e-2",`, "{\"eval_id\":\"e-1\",\"x\":\"\xff\"}"), "POST",
			"/api/evaluation", `{}`, sealane.ErrContradiction},
		{"garbage token", 200, `{"eval_id":"e-1","encrypted_response":"eyJ"}`, "POST", "/api/evaluation",
			`{"id":"r-1"}`, sealane.ErrNotJWE},
		{"too large", 200, strings.Repeat(" ", 300_000), "POST", "/api/evaluation", `{"id":"r-1"}`,
			sealane.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := answering(t, c.status, c.body)
			lane := customer(t, func(c *sealane.Config) { c.MaxPayload = 100_000 })
			answer, _, err := do(t, lane, request(t, c.method, s.URL+c.path, c.sent))
			var broken *sealhttp.AnswerError
			if !errors.Is(err, c.want) || !errors.As(err, &broken) || answer != nil {
				t.Errorf("error is %v", err)
			}
			var partner *sealhttp.PartnerError
			if errors.As(err, &partner) {
				t.Error("taken for the partner's own word")
			}
		})
	}
}

func TestAnswersThatAreFine(t *testing.T) {
	for _, c := range []struct {
		name, path string
		status     int
		body, want string
	}{
		{"members in another order", "/api/evaluation", 200,
			strings.Replace(answerBody(t, ``, `{"eval_id":"e-1"}`), `"}`, `","eval_id":"e-1"}`, 1),
			`{"eval_id":"e-1"}`},
		{"a new member", "/api/evaluation", 200, answerBody(t, `"trace":{"a":1},`, `{"eval_id":"e-1"}`),
			`{"eval_id":"e-1"}`},
		{"no outer identifier", "/api/evaluation", 200, answerBody(t, ``, `{"eval_id":"e-1"}`), `{"eval_id":"e-1"}`},
		{"no signed identifier", "/api/evaluation", 200, answerBody(t, `"eval_id":"e-1",`, `{"x":1}`), `{"x":1}`},
		{"no object", "/api/evaluation", 200, answerBody(t, `"eval_id":"e-1",`, `[1]`), `[1]`},
		{"escaped", "/api/evaluation", 200, answerBody(t, `"eval_id":"\u0065-1",`, `{"eval_id":"e-\u0031"}`),
			`{"eval_id":"e-\u0031"}`},
		{"either outer name", "/api/docv/upload", 200,
			answerBody(t, `"eval_id":"e-1","docv_previous_reference_id":"d",`, `{"docv_previous_reference_id":"d"}`),
			`{"docv_previous_reference_id":"d"}`},
		{"a sealed error", "/api/evaluation", 422, answerBody(t, `"eval_id":"e-1",`, `{"eval_id":"e-1","error":"x"}`),
			`{"eval_id":"e-1","error":"x"}`},
		{"nested twice", "/api/evaluation", 200, answerBody(t, ``, `{"a":{"k":1,"k":2},"eval_id":"e"}`),
			`{"a":{"k":1,"k":2},"eval_id":"e"}`},
	} {
		s := answering(t, c.status, c.body)
		answer, body, err := do(t, customer(t), request(t, "POST", s.URL+c.path, `{}`))
		if err != nil || answer.StatusCode != c.status || body != c.want {
			t.Errorf("%s: %q %v", c.name, body, err)
		}
	}
}

// TestPlainErrors: they are passed on unchanged.
func TestPlainErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{
		{400, `{"error":"invalid_phone"}`}, {401, ""}, {403, "Forbidden"}, {422, `{"error":"unsupported_schema"}`},
		{429, `{"error":"rate_limit"}`}, {500, `{"error":"server_error"}`}, {502, "<html>"}, {503, `["x"]`},
		{400, `{"error":{"payload":"decryption"}}`},
	} {
		s := answering(t, c.status, c.body, "X-Retry-After", "7")
		answer, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
		if err != nil || answer.StatusCode != c.status || body != c.body || answer.Header.Get("X-Retry-After") != "7" {
			t.Errorf("%d %s: %v %q %v", c.status, c.body, answer, body, err)
		}
	}
}

func TestNothingLeavesInClear(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("something was sent")
	}))
	defer s.Close()
	for name, r := range map[string]*http.Request{
		"another endpoint": request(t, "POST", s.URL+"/api/other", `{}`),
		"another method":   request(t, "GET", s.URL+"/api/evaluation/e-1", ``),
		"asked for plain": request(t, "POST", s.URL+"/api/evaluation",
			`{}`).WithContext(sealhttp.WithPlain(t.Context())),
	} {
		if _, _, err := do(t, customer(t), r); !errors.Is(err, sealane.ErrPlainRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Also not on a lane with optional sealing, unless it is requested.
	for _, path := range []string{"/api/evaluation/", "//api/evaluation", "/v1/api/evaluation", "/api/Evaluation",
		"/api/evaluation/a/b"} {
		if _, _, err := do(t, customer(t, optional), request(t, "POST", s.URL+path, `{}`)); !errors.Is(err,
			sealane.ErrPlainRefused) {
			t.Errorf("%s: %v", path, err)
		}
	}
	redirect := httptest.NewServer(http.RedirectHandler(s.URL+"/steal", http.StatusTemporaryRedirect))
	defer redirect.Close()
	if _, _, err := do(t, customer(t, optional),
		request(t, "POST", redirect.URL+"/api/evaluation", `{}`)); !errors.Is(err, sealane.ErrNotSealed) ||
		!errors.Is(err, sealane.ErrMayBeProcessed) {
		t.Errorf("after a redirect: %v", err)
	}
	noKey := customer(t, func(c *sealane.Config) { c.Theirs = nil; c.Sealing = sealane.SealingOptional })
	if _, _, err := do(t, noKey, request(t, "POST", s.URL+"/api/evaluation", `{}`)); !errors.Is(err,
		sealane.ErrNotSupported) {
		t.Errorf("without the partner's key: %v", err)
	}
}

func TestPlainOnPurpose(t *testing.T) {
	s := answering(t, 200, `{"plain":true}`)
	lane := customer(t, optional, func(c *sealane.Config) {
		c.PlainEndpoints = []string{"GET /api/evaluation/{eval_id}"}
	})
	for name, r := range map[string]*http.Request{
		"listed": request(t, "GET", s.URL+"/api/evaluation/e-1", ``),
		"asked for plain": request(t, "POST", s.URL+"/api/evaluation",
			`{}`).WithContext(sealhttp.WithPlain(t.Context())),
	} {
		answer, body, err := do(t, lane, r)
		if err != nil || body != `{"plain":true}` {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, sealed := sealhttp.MessageFrom(answer.Request.Context()); sealed {
			t.Errorf("%s: said to be sealed", name)
		}
	}
}

// TestRequestBodies: none, of unknown length, too large, truncated, compressed.
func TestRequestBodies(t *testing.T) {
	var seen string
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen = string(b)
	})
	small := customer(t, func(c *sealane.Config) { c.MaxPayload = 1000 })
	closed := false
	send := func(body io.Reader, length int64, headers ...string) error {
		r := request(t, "POST", s.URL+"/api/evaluation", "")
		r.Body, r.ContentLength, closed = nil, length, false
		if body != nil {
			r.Body = closer{body, &closed}
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		_, _, err := do(t, small, r)
		if body != nil && !closed {
			t.Error("the request's body was not closed")
		}
		return err
	}
	if err := send(nil, 0); err != nil || seen != "" {
		t.Errorf("no body: %q %v", seen, err)
	}
	if err := send(strings.NewReader("unknown length"), -1); err != nil || seen != "unknown length" {
		t.Errorf("unknown length: %q %v", seen, err)
	}
	if err := send(io.LimitReader(&counting{}, 1001), -1); !errors.Is(err, sealane.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := send(io.LimitReader(&counting{}, 5000), 5000); !errors.Is(err, sealane.ErrTooLarge) {
		t.Errorf("declared too large: %v", err)
	}
	if err := send(io.MultiReader(strings.NewReader("{"), broken{}), -1); !errors.Is(err, errBroken) {
		t.Errorf("broken off: %v", err)
	}
	if err := send(strings.NewReader("x"), 1, "Content-Encoding", "gzip"); !errors.Is(err, sealane.ErrFormat) {
		t.Errorf("compressed: %v", err)
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

var errBroken = errors.New("disk error")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestNetworkErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"eval_id":"e-1","encrypted_response":"eyJ`)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
	var answer *sealhttp.AnswerError
	if !errors.As(err, &answer) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut connection: %v", err)
	}
	s.Close()
	if _, _, err = do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err == nil ||
		errors.As(err, &answer) {
		t.Errorf("refused connection: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
		cancel()
		<-r.Context().Done()
	}))
	defer waiting.Close()
	if _, _, err = do(t, customer(t),
		request(t, "POST", waiting.URL+"/api/evaluation", `{}`).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
