package sealhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// TestStatusesThatProveNothing: a response without a body and a redirect are not signed. On
// a sealed lane they are not a success.
func TestStatusesThatProveNothing(t *testing.T) {
	for _, c := range []struct {
		status int
		fault  fault.Code
	}{
		{204, fault.AnswerWithoutBody}, {205, fault.AnswerWithoutBody}, {304, fault.AnswerWithoutBody},
		{301, fault.AnswerRedirects}, {302, fault.AnswerRedirects}, {303, fault.AnswerRedirects},
		{307, fault.AnswerRedirects}, {308, fault.AnswerRedirects}, {300, fault.AnswerRedirects},
		{399, fault.AnswerRedirects},
	} {
		var visited atomic.Int32
		mux := http.NewServeMux()
		mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { visited.Add(1) })
		mux.HandleFunc("/api/evaluation", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
		})
		s := httptest.NewServer(mux)
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
		s.Close()
		if !errors.Is(err, sealane.ErrNotSealed) || !errors.Is(err, sealane.ErrMayBeProcessed) ||
			sealane.FaultOf(err) != c.fault {
			t.Errorf("%d: %v", c.status, err)
		}
		if visited.Load() != 0 {
			t.Errorf("%d was followed", c.status)
		}
	}
}

// TestRedirectTakesNothingElsewhere: neither the sealed request nor its headers are sent to
// another origin.
func TestRedirectTakesNothingElsewhere(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		t.Errorf("the other host got %v and %d bytes", r.Header, len(body))
	}))
	defer thief.Close()
	for status := 300; status < 400; status++ {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", thief.URL+"/api/evaluation")
			w.WriteHeader(status)
		}))
		r := request(t, "POST", s.URL+"/api/evaluation", "{}")
		r.Header.Set("X-Api-Key", "the-key")
		if _, _, err := do(t, customer(t), r); !errors.Is(err, sealane.ErrMayBeProcessed) {
			t.Errorf("%d: %v", status, err)
		}
		s.Close()
	}
}

// TestServiceWithoutBody: an answer of the service without a body is sealing-failed on a
// sealed lane, unless the profile marks the endpoint as bodyless.
func TestServiceWithoutBody(t *testing.T) {
	bodyless := func(t *testing.T) func(*sealane.Config) {
		p := testProfile(t)
		for i := range p.Endpoints {
			p.Endpoints[i].Bodyless = true
		}
		return func(c *sealane.Config) { c.Profile = p }
	}
	for _, status := range []int{204, 205, 304} {
		serve := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		s := provider(t, serve)
		_, _, err := do(t, customer(t), request(t, "PATCH", s.URL+"/api/evaluation/e-1", "{}"))
		if !errors.Is(err, sealane.ErrSealingFailed) {
			t.Errorf("%d: %v", status, err)
		}
		if log := s.logged(); !strings.Contains(log, "fault=http.answer-without-body") ||
			!strings.Contains(log, "/api/evaluation/{eval_id}") {
			t.Errorf("%d: the operator reads %s", status, log)
		}
		s = provider(t, serve, bodyless(t))
		answer, body, err := do(t, customer(t, bodyless(t)), request(t, "PATCH", s.URL+"/api/evaluation/e-1", "{}"))
		if err != nil || answer.StatusCode != status || body != "" {
			t.Errorf("%d on a bodyless endpoint: %v", status, err)
			continue
		}
		if _, sealed := sealhttp.MessageFrom(answer.Request.Context()); sealed {
			t.Errorf("%d: a response without a body has a message", status)
		}
	}
}

func testProfile(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.Load("riskos")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBoundWithoutIdentifier: echo and bind tie a response to its request even if the
// profile has no identifier outside the token.
func TestBoundWithoutIdentifier(t *testing.T) {
	p := testProfile(t)
	for i := range p.Endpoints {
		p.Endpoints[i].Identifier = ""
	}
	use := func(c *sealane.Config) { c.Profile = p }
	for _, c := range []struct{ method, path, sent, answer string }{
		{"POST", "/api/evaluation", `{"id":"new"}`, `{"id":"new","id":"old"}`},
		{"PATCH", "/api/evaluation/e-1", `{}`, `{"eval_id":"e-1","eval_id":"e-2"}`},
		{"POST", "/api/evaluation", `{"id":"new"}`, "{\"id\":\"new\",\"x\":\"\xff\"}"},
		{"POST", "/api/evaluation", `{"id":"new"}`, `{"id":"old"}`},
	} {
		s := provider(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, c.answer) }, use)
		if _, _, err := do(t, customer(t, use), request(t, c.method, s.URL+c.path, c.sent)); !errors.Is(err,
			sealane.ErrContradiction) {
			t.Errorf("%s: %v", c.answer, err)
		}
	}
}

// TestQuery: if the profile lists query parameters, no others pass with a sealed request,
// on either side.
func TestQuery(t *testing.T) {
	p := testProfile(t)
	for i := range p.Endpoints {
		p.Endpoints[i].Query = []string{"trace"}
	}
	use := func(c *sealane.Config) { c.Profile = p }
	s := provider(t, echo, use)
	for query, fine := range map[string]bool{
		"":                 true,
		"?trace=1":         true,
		"?trace=1&trace=2": true,
		"?admin=1":         false,
		"?trace=1&x":       false,
		"?%74race=1":       true,
		"?trace=1;x=2":     false,
		"?%zz":             false,
	} {
		_, _, err := do(t, customer(t, use), request(t, "POST", s.URL+"/api/evaluation"+query, "{}"))
		if fine && err != nil ||
			!fine && (sealane.FaultOf(err) != fault.Query || errors.Is(err, sealane.ErrMayBeProcessed)) {
			t.Errorf("%q: %v", query, err)
		}
		answer, _ := raw(t, s.URL+"/api/evaluation"+query, wrapped(t, customer(t), "{}"), "X-Payload-Encrypted",
			"true")
		if fine != (answer.StatusCode == 200) {
			t.Errorf("%q at the handler: %s", query, answer.Status)
		}
	}
}

// TestShortRequestBody: a body shorter than its length is not sealed and sent as if it were
// complete.
func TestShortRequestBody(t *testing.T) {
	s := provider(t, func(http.ResponseWriter, *http.Request) { t.Error("the service was called") })
	r := request(t, "POST", s.URL+"/api/evaluation", `{"id":"r-1"}`)
	r.ContentLength = 100
	_, _, err := do(t, customer(t), r)
	if !errors.Is(err, sealane.ErrFormat) || errors.Is(err, sealane.ErrMayBeProcessed) ||
		!strings.Contains(fmt.Sprint(err), "12 bytes of 100") {
		t.Error(err)
	}
}

// TestPlainRequestsMayBeProcessed: an error after an unsealed request was sent says so,
// too.
func TestPlainRequestsMayBeProcessed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	lane := customer(t, optional, func(c *sealane.Config) {
		c.PlainEndpoints = []string{"GET /api/evaluation/{eval_id}", "POST /x"}
	})
	plain := request(t, "POST", s.URL+"/api/evaluation", "{}")
	for name, r := range map[string]*http.Request{
		"WithPlain":         plain.WithContext(sealhttp.WithPlain(plain.Context())),
		"PlainEndpoints":    request(t, "POST", s.URL+"/x", "{}"),
		"without a body":    request(t, "GET", s.URL+"/api/evaluation/secret-id", ""),
		"connection denied": request(t, "POST", "http://127.0.0.1:1/x", "{}"),
	} {
		_, _, err := do(t, lane, r)
		if errors.Is(err, sealane.ErrMayBeProcessed) == (name == "connection denied") || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
