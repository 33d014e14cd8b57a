package sealhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// TestAnswerOfTheLimit: MaxPayload is exact for answers, in whatever pieces they are
// written. The service gets an error, so that it can stop.
func TestAnswerOfTheLimit(t *testing.T) {
	const limit = 1000
	for name, parts := range map[string][]int{"one piece": {limit}, "pieces": {1, 600, 0, 399}, "two": {999, 1}} {
		for _, more := range []int{0, 1} {
			s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
				for _, n := range parts {
					if _, err := io.WriteString(w, strings.Repeat(" ", n)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				n, err := io.WriteString(w, strings.Repeat(" ", more))
				if n != 0 || errors.Is(err, sealane.ErrTooLarge) != (more > 0) {
					t.Errorf("%s, %d bytes too many: %d are written, %v", name, more, n, err)
				}
			}, func(c *sealane.Config) { c.MaxPayload = limit })
			sealed := wrapped(t, customer(t), `{}`)
			answer, body := raw(t, s.URL+"/api/evaluation", sealed, "X-Payload-Encrypted", "true")
			if want := 200 + 300*more; answer.StatusCode != want {
				t.Errorf("%s, %d bytes: %d %.80s", name, limit+more, answer.StatusCode, body)
			}
		}
	}
}

// TestIdentityFromTheService: a service may state that it did not encode its answer.
func TestIdentityFromTheService(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "identity")
		io.WriteString(w, `{"a":1}`)
	})
	answer, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
	if err != nil || answer.StatusCode != 200 || body != `{"a":1}` {
		t.Errorf("%v %q %v", answer, body, err)
	}
}

// TestIdentifierOutside: the identifier next to the token is the payload's member, or else
// the variable of the path. A refusal has the same identifier.
func TestIdentifierOutside(t *testing.T) {
	for _, c := range []struct{ method, path, payload, want string }{
		{"PATCH", "/api/evaluation/e-1", `{"eval_id":"e-1"}`, `{"eval_id":"e-1",`},
		{"PATCH", "/api/evaluation/e-1", `{"x":1}`, `{"eval_id":"e-1",`},
		{"PATCH", "/api/evaluation/e-1", `[1]`, `{"eval_id":"e-1",`},
		{"PATCH", "/api/evaluation/e%221", ``, `{"eval_id":"e\"1",`},
		{"POST", "/api/evaluation", `{"eval_id":"e-1"}`, `{"eval_id":"e-1",`},
		{"POST", "/api/evaluation/2.1", `{"eval_id":null}`, `{"eval_id":null,`},
	} {
		for _, fails := range []bool{false, true} {
			s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
				if fails {
					w.Header().Set("Content-Encoding", "br")
				}
				io.WriteString(w, c.payload)
			})
			r := request(t, c.method, s.URL+c.path, wrapped(t, customer(t), `{}`))
			r.Header.Set("X-Payload-Encrypted", "true")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			want := c.want + `"encrypted_response":"`
			if fails {
				want = strings.Replace(c.want, ":null", `:"null"`, 1) + `"error":"`
			}
			if !strings.HasPrefix(string(body), want) {
				t.Errorf("%s %s, %s: %d %.80s, want %s", c.method, c.path, c.payload, answer.StatusCode, body, want)
			}
		}
	}
}

// TestContextOfTheService: the service finds the values that middleware before the handler
// put into the context.
func TestContextOfTheService(t *testing.T) {
	type key struct{}
	lane, reached := testlane.New(t, config(t, sealane.ServerSide)), false
	next := func(_ http.ResponseWriter, r *http.Request) {
		reached = true
		if r.Context().Value(key{}) != "tenant" || r.Context().Value(http.ServerContextKey) == nil {
			t.Error("the service has another context")
		}
	}
	h := &sealhttp.Handler{Lane: sealhttp.OneLane(lane), Log: discard, Next: http.HandlerFunc(next)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "tenant")))
	}))
	defer s.Close()
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err != nil || !reached {
		t.Error(err)
	}
}
