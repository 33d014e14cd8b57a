package sealhttp_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// wrapping is an outer transport that wraps the bodies of responses, as tracing does.
type wrapping struct{ base http.RoundTripper }

type wrappedBody struct{ io.ReadCloser }

func (w wrapping) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r.Clone(r.Context()))
	if err == nil {
		response.Body = wrappedBody{response.Body}
	}
	return response, err
}

// TestMessageOfResponse: whatever is between Transport and the application, a sealed
// response is recognized, and so is an unsealed one.
func TestMessageOfResponse(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved/evaluation" {
			http.Redirect(w, r, "/api/evaluation", http.StatusTemporaryRedirect)
			return
		}
		echo(w, r)
	}, optional)
	transport := &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t, optional))}
	redirecting := &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t, func(c *sealane.Config) {
		c.PlainEndpoints = []string{"POST /moved/evaluation"}
	}))}
	for name, c := range map[string]struct {
		client *http.Client
		url    string
		plain  bool
	}{
		"bare":     {&http.Client{Transport: transport}, s.URL + "/api/evaluation", false},
		"time-out": {&http.Client{Transport: transport, Timeout: time.Minute}, s.URL + "/api/evaluation", false},
		"wrapped":  {&http.Client{Transport: wrapping{transport}}, s.URL + "/api/evaluation", false},
		"both": {&http.Client{Transport: wrapping{wrapping{transport}}, Timeout: time.Minute},
			s.URL + "/api/evaluation", false},
		"redirected": {&http.Client{Transport: wrapping{redirecting}, Timeout: time.Minute},
			s.URL + "/moved/evaluation", false},
		"plain": {&http.Client{Transport: transport}, s.URL + "/api/evaluation", true},
		"plain, wrapped": {&http.Client{Transport: wrapping{transport}, Timeout: time.Minute},
			s.URL + "/api/evaluation", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "POST", c.url, `{"id":"r-1"}`)
			if c.plain {
				r = r.WithContext(sealhttp.WithPlain(r.Context()))
			}
			response, err := c.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			message, sealed := sealhttp.MessageFrom(response.Request.Context())
			if sealed == c.plain {
				t.Fatalf("sealed: %t", sealed)
			}
			if c.plain {
				return
			}
			verified, ok := message.(*sealane.Verified)
			if !ok || verified.Signer().ID != "provider" || verified.OpenedBy().ID != "customer" ||
				!bytes.Equal(body, verified.Payload()) {
				t.Errorf("%T, %s", message, body)
			}
			if _, asked := sealhttp.MessageFrom(r.Context()); asked {
				t.Error("the caller's own context has the message")
			}
		})
	}
}

// TestSwappedLane: a Transport asks for its lane once for each request, so that keys can
// change while it runs.
func TestSwappedLane(t *testing.T) {
	renewed := testkey.RSA(t, "customer-renewed", 2048)
	first := customer(t)
	second := customer(t, func(c *sealane.Config) { c.Ours = testkey.Ours(t, "renewed", renewed) })
	var lane, service atomic.Pointer[sealane.Lane]
	lane.Store(first)
	serves := func(c *sealane.Config) {
		c.Theirs = testkey.Theirs(t, "renewed", renewed)
	}
	before, after := testlane.New(t, config(t, sealane.ServerSide)), testlane.New(t, func() sealane.Config {
		c := config(t, sealane.ServerSide)
		serves(&c)
		return c
	}())
	service.Store(before)
	var signer atomic.Value
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return service.Load(), nil },
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m, _ := sealhttp.MessageFrom(r.Context())
			signer.Store(m.(*sealane.Verified).Signer().ID)
			echo(w, r)
		}),
		Log: discard,
	})
	defer s.Close()
	asked := 0
	client := &http.Client{Transport: &sealhttp.Transport{Lane: func(*http.Request) (*sealane.Lane, error) {
		asked++
		return lane.Load(), nil
	}}}
	for _, want := range []string{"customer", "renewed"} {
		response, err := client.Do(request(t, "POST", s.URL+"/api/evaluation", `{}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := signer.Load(); got != want {
			t.Errorf("signed by %v, want %s", got, want)
		}
		lane.Store(second)
		service.Store(after)
	}
	if asked != 2 {
		t.Errorf("asked %d times for 2 requests", asked)
	}
	errNone := errors.New("no lane today")
	client = &http.Client{Transport: &sealhttp.Transport{Lane: func(*http.Request) (*sealane.Lane, error) {
		return nil, errNone
	}}}
	if _, err := client.Do(request(t, "POST", s.URL+"/api/evaluation", `{}`)); !errors.Is(err, errNone) {
		t.Error(err)
	}
}

// TestMiddleware: handlers of one Handler share its limits, and each calls its own next.
func TestMiddleware(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := &sealhttp.Handler{
		Lane:        sealhttp.OneLane(testlane.New(t, config(t, sealane.ServerSide))),
		MaxInFlight: 1,
		Log:         discard,
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/evaluation", h.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		echo(w, r)
	})))
	mux.Handle("POST /api/docv/upload", h.Middleware(http.HandlerFunc(echo)))
	mux.Handle("/", h.Middleware(nil))
	s := httptest.NewServer(mux)
	defer s.Close()
	done := make(chan error)
	go func() {
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
		done <- err
	}()
	<-entered
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/docv/upload", `{}`)); !errors.Is(err,
		sealane.ErrUnavailable) {
		t.Errorf("the second request found a place: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/docv/upload", `{}`))
	if err != nil || !strings.Contains(body, "got") {
		t.Errorf("%s, %v", body, err)
	}
	if _, _, err := do(t, customer(t), request(t, "PATCH", s.URL+"/api/evaluation/e-1", `{}`)); err == nil {
		t.Error("a handler without next answered")
	}
}

// TestMessageIsTheResponsesOwn: if a service calls others with the context of the request
// that it serves, that request's message is not taken for the message of their responses.
func TestMessageIsTheResponsesOwn(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		io.WriteString(w, `{}`)
	}))
	defer other.Close()
	outbound := sealhttp.NewClient(customer(t, func(c *sealane.Config) { c.PlainEndpoints = []string{"GET /health"} }))
	inside := config(t, sealane.ServerSide)
	optional(&inside)
	inner := &sealhttp.Handler{Lane: sealhttp.OneLane(testlane.New(t, inside)), Log: discard,
		Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, sealed := sealhttp.MessageFrom(r.Context()); sealed {
				t.Error("a plain request behind a second Handler has a message")
			}
		})}
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if _, sealed := sealhttp.MessageFrom(r.Context()); !sealed {
			t.Error("the request has no message")
		}
		for method, path := range map[string]string{"GET": "/health", "POST": "/api/evaluation"} {
			call, err := http.NewRequestWithContext(r.Context(), method, other.URL+path, strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			response, err := outbound.Do(call)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if m, sealed := sealhttp.MessageFrom(response.Request.Context()); sealed {
				t.Errorf("%s: a plain response has %v", method, m)
			}
		}
		inner.ServeHTTP(httptest.NewRecorder(), r)
		echo(w, r)
	})
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}")); err != nil {
		t.Error(err)
	}
}

// TestPlainRedirectToAnotherHost: a redirect of an unsealed request does not send a
// request, sealed or not, to another host.
func TestPlainRedirectToAnotherHost(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host got %s %s with %v", r.Method, r.URL, r.Header)
	}))
	defer thief.Close()
	for _, to := range []string{"/api/evaluation", "/moved/evaluation"} {
		s := httptest.NewServer(http.RedirectHandler(thief.URL+to, http.StatusTemporaryRedirect))
		client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t,
			func(c *sealane.Config) {
				c.PlainEndpoints = []string{"POST /moved/evaluation"}
			}))}}
		r := request(t, "POST", s.URL+"/moved/evaluation", "{}")
		r.Header.Set("X-Api-Key", "the-key")
		if _, err := client.Do(r); sealane.FaultOf(err) != fault.AnswerRedirects {
			t.Errorf("%s: %v", to, err)
		}
		s.Close()
	}
}
