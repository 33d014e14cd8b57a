package sealhttp_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// steps records the calls of hooks.
type steps struct {
	mu     sync.Mutex
	inside int
	events []sealhttp.Event
	busy   sealhttp.Step // is not admitted
	// anyOrder allows any order of requests: a refusal is observed after its answer is
	// sent.
	anyOrder bool
}

func (s *steps) hooks() sealhttp.Hooks {
	return sealhttp.Hooks{
		Admit: func(_ context.Context, _ *sealane.Lane, step sealhttp.Step) (func(), error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if step == s.busy {
				return nil, errors.New("no place")
			}
			s.inside++
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.inside--
			}, nil
		},
		Observe: func(_ context.Context, e sealhttp.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	}
}

// told returns what happened, and fails if a place was not released.
func (s *steps) told(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside != 0 {
		t.Errorf("%d places were not given back", s.inside)
	}
	var all []string
	for _, e := range s.events {
		text := string(e.Step)
		if e.Err != nil {
			text += " " + string(e.Outcome()) + " " + string(e.Fault())
		} else if e.Lane == nil || e.Size == 0 || e.Took <= 0 || (e.Message != nil) != (e.Step == sealhttp.StepOpen) {
			t.Errorf("incomplete: %+v", e)
		}
		all = append(all, text)
	}
	if s.anyOrder {
		slices.Sort(all)
	}
	return strings.Join(all, ", ")
}

// TestHooks: both sides observe each message, and take a place for each.
func TestHooks(t *testing.T) {
	for _, c := range []struct {
		name         string
		client       sealhttp.Step // not admitted there
		server       sealhttp.Step
		body         string
		wantError    error
		wantC, wantS string
	}{
		{"all well", "", "", `{"id":"1"}`, nil, "seal, open", "open, seal"},
		{"no place to seal a request", sealhttp.StepSeal, "", `{"id":"1"}`, sealane.ErrUnavailable,
			"seal unavailable http.busy", ""},
		{"no place to open a request", "", sealhttp.StepOpen, `{"id":"1"}`, sealane.ErrUnavailable,
			"seal, open unavailable ",
			"open unavailable http.busy"},
		{"no place to seal an answer", "", sealhttp.StepSeal, `{"id":"1"}`, sealane.ErrMayBeProcessed,
			"seal, open sealing-failed ", "open, seal sealing-failed http.busy"},
		{"no place to open an answer", sealhttp.StepOpen, "", `{"id":"1"}`, sealane.ErrMayBeProcessed,
			"seal, open unavailable http.busy", "open, seal"},
		{"too large", "", "", strings.Repeat("x", 2000), sealane.ErrTooLarge, "seal too-large body.too-large", ""},
	} {
		client, server := &steps{busy: c.client}, &steps{busy: c.server}
		s := httptest.NewServer(&sealhttp.Handler{
			Lane: sealhttp.OneLane(
				testlane.New(t, config(t, sealane.ServerSide)),
			), Next: http.HandlerFunc(echo), Log: discard,
			Hooks: server.hooks(),
		})
		lane := customer(t, func(c *sealane.Config) { c.MaxPayload = 1000 })
		transport := &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Hooks: client.hooks()}
		response, err := (&http.Client{Transport: transport}).Do(request(t, "POST", s.URL+"/api/evaluation", c.body))
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		s.Close()
		if !errors.Is(err, c.wantError) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := client.told(t); got != c.wantC {
			t.Errorf("%s: the client was told %q, want %q", c.name, got, c.wantC)
		}
		if got := server.told(t); got != c.wantS {
			t.Errorf("%s: the server was told %q, want %q", c.name, got, c.wantS)
		}
	}
}

// TestHooksTellRefusals: a refusal before a message was opened is observed once.
func TestHooksTellRefusals(t *testing.T) {
	server := &steps{anyOrder: true}
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(
			testlane.New(t, config(t, sealane.ServerSide)),
		), Next: http.HandlerFunc(echo), Log: discard,
		Hooks: server.hooks(),
	})
	raw(t, s.URL+"/api/evaluation", `{"id":"1"}`)
	raw(t, s.URL+"/api/evaluation", `{"encrypted_request":"a.b.c.d.e"}`, "X-Payload-Encrypted", "true")
	s.Close()
	if got := server.told(t); got != "open not-jwe jwe.base64-length, open plain-refused http.trigger-missing" {
		t.Error(got)
	}
}

// TestWithID: a refusal has the identifier of the context.
func TestWithID(t *testing.T) {
	h := &sealhttp.Handler{
		Lane: sealhttp.OneLane(testlane.New(t, config(t, sealane.ServerSide))),
		Next: http.HandlerFunc(echo),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(sealhttp.WithID(r.Context(), "id-of-mine")))
	}))
	defer s.Close()
	_, body := raw(t, s.URL+"/api/evaluation", `{}`)
	if id, _ := errorBody(t, body); id != "id-of-mine" {
		t.Error(body)
	}
}

// TestBasePath: endpoints are compared without the base path, and escapes are not changed.
func TestBasePath(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.RequestURI
		r.URL.Path, r.URL.RawPath = strings.TrimPrefix(r.URL.Path, "/v2"), ""
		h := &sealhttp.Handler{
			Lane: sealhttp.OneLane(testlane.New(t, config(t, sealane.ServerSide))),
			Next: http.HandlerFunc(echo),
		}
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	transport := &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), BasePath: "/v2/"}
	response, err := (&http.Client{Transport: transport}).Do(
		request(t, "POST", s.URL+"/api/evaluation/a%2Eb?x=1", `{"id":"1"}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got != "/v2/api/evaluation/a%2Eb?x=1" || response.Request.URL.Path != "/api/evaluation/a.b" {
		t.Error(got, response.Request.URL)
	}
}

// loud is a private key whose store panics.
type loud struct{ keyring.Private }

func (loud) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { panic("the key store") }

func (loud) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { panic("the key store") }

// TestPanicIsNotObserved: a panic while a message is sealed or opened releases its place, is not taken for a
// message, and keeps its value.
func TestPanicIsNotObserved(t *testing.T) {
	seen, held := 0, 0
	hooks := sealhttp.Hooks{
		Observe: func(context.Context, sealhttp.Event) { seen++ },
		Admit: func(context.Context, *sealane.Lane, sealhttp.Step) (func(), error) {
			held++
			return func() { held-- }, nil
		},
	}
	panics := func(name string, do func()) {
		defer func() {
			if reason := recover(); reason != "the key store" {
				t.Errorf("%s: the panic is %v", name, reason)
			}
		}()
		do()
	}
	noisy := customer(t, func(c *sealane.Config) {
		c.Ours = testkey.Ours(t, "customer", loud{testkey.RSA(t, "customer", 2048)})
	})
	panics("seal", func() {
		client := &sealhttp.Transport{Lane: sealhttp.OneLane(noisy), Hooks: hooks}
		client.RoundTrip(request(t, "POST", "http://127.0.0.1:1/api/evaluation", "{}"))
	})
	c := config(t, sealane.ServerSide)
	c.Ours = testkey.Ours(t, "provider", loud{testkey.RSA(t, "provider", 2048)})
	handler := &sealhttp.Handler{
		Lane: sealhttp.OneLane(testlane.New(t, c)), Hooks: hooks, Log: discard,
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the service was reached") }),
	}
	panics("open", func() {
		r := httptest.NewRequest("POST", "/api/evaluation", strings.NewReader(wrapped(t, customer(t), "{}")))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Payload-Encrypted", "true")
		handler.ServeHTTP(httptest.NewRecorder(), r)
	})
	if seen != 0 || held != 0 {
		t.Errorf("%d events, %d places are held", seen, held)
	}
}
