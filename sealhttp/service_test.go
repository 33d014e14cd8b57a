package sealhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// TestServiceThatFails: for a panic and a truncated, short or impossible response the
// partner gets the profile's answer and no part of the response, and there is a line in the
// log.
func TestServiceThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		fault string
	}{
		"panic": {func(http.ResponseWriter, *http.Request) { panic("SECRET 123-45-6789") }, "http.service-panicked"},
		"panic with an error": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"SECRET":1}`)
			panic(errors.New("SECRET"))
		}, "http.service-panicked"},
		"abort": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"SECRET":`)
			panic(http.ErrAbortHandler)
		}, "http.answer-cut"},
		"short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"SECRET":1}`)
		}, "http.answer-cut"},
		"long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, `{"SECRET":1}`)
		}, "http.answer-cut"},
		"status 0":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(0) }, "http.service-panicked"},
		"status 1000": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) }, "http.service-panicked"},
		"body behind 204": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "SECRET"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("a body behind 204: %v", err)
			}
		}, "http.answer-without-body"},
	} {
		t.Run(name, func(t *testing.T) {
			s := provider(t, c.serve)
			answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted",
				"true")
			id, _ := errorBody(t, body)
			if answer.StatusCode != 500 || !strings.Contains(body, "verified with success") {
				t.Errorf("%d %s", answer.StatusCode, body)
			}
			log := s.logged()
			if !strings.Contains(log, c.fault) || !strings.Contains(log, id) || strings.Contains(log, "SECRET") ||
				strings.Contains(body, "SECRET") {
				t.Errorf("the operator reads %s", log)
			}
			if panicked := c.fault == "http.service-panicked"; strings.Contains(log, "stack=") != panicked {
				t.Errorf("with a stack: %t; %s", !panicked, log)
			}
		})
	}
}

// TestReverseProxyAsNext: if a proxied service fails, the partner gets the profile's
// answer.
func TestReverseProxyAsNext(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 1000))
			}
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"cut chunks": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		backend := httptest.NewServer(serve)
		target, err := url.Parse(backend.URL)
		if err != nil {
			t.Fatal(err)
		}
		s := provider(t, httputil.NewSingleHostReverseProxy(target).ServeHTTP,
			func(c *sealane.Config) { c.MaxPayload = 10_000 })
		_, _, err = do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
		if !errors.Is(err, sealane.ErrSealingFailed) {
			t.Errorf("%s: %v", name, err)
		}
		if log := s.logged(); !strings.Contains(log, "message refused") {
			t.Errorf("%s: the operator reads %q", name, log)
		}
		backend.Close()
	}
}

// issuers returns both ends of an RDX lane, whose responses are not sealed.
func issuers(t *testing.T) (vcas, issuer *sealane.Lane) {
	t.Helper()
	p, err := profile.Load("rdx")
	if err != nil {
		t.Fatal(err)
	}
	key := testkey.RSA(t, "issuer", 2048)
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	return testlane.New(t, sealane.Config{
			Profile:     p,
			Side:        sealane.ClientSide,
			Environment: "STAG",
			Theirs:      testkey.Theirs(t, alias, key),
		}),
		testlane.New(t,
			sealane.Config{Profile: p, Side: sealane.ServerSide, Environment: "STAG",
				SenderAuth: sealane.SenderUnauthenticated,
				Ours:       testkey.Ours(t, alias, keyring.Private(key))})
}

// TestNoWayPastTheLane: a sealed request cannot switch to another protocol, whatever the
// service wants, even if responses are not sealed.
func TestNoWayPastTheLane(t *testing.T) {
	vcas, issuer := issuers(t)
	var upgraded atomic.Bool
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || r.Header.Get("Http2-Settings") != "" || r.Header.Get("Expect") != "" {
			upgraded.Store(true)
		}
		fmt.Fprint(w, `{}`)
	}))
	defer backend.Close()
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	hijacked := false
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(&sealhttp.Handler{Lane: sealhttp.OneLane(issuer), Log: discard,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				hijacked = true
			}
			if http.NewResponseController(w).Flush() == nil {
				t.Error("a response could be flushed before it was whole")
			}
			proxy.ServeHTTP(w, r)
		})})
	defer s.Close()
	token, err := vcas.Seal(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []string{
		"Connection: Upgrade\r\nUpgrade: websocket\r\n",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"Connection: upgrade, x-tunnel\r\nUpgrade: tcp\r\nX-Tunnel: 1\r\n",
	} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v1/risk HTTP/1.1\r\nHost: issuer\r\n%sContent-Type: "+
			"application/jose\r\nContent-Length: %d\r\n\r\n%s", headers, len(token), token)
		buffer := make([]byte, 100)
		n, _ := c.Read(buffer)
		c.Close()
		if !strings.HasPrefix(string(buffer[:n]), "HTTP/1.1 200 ") {
			t.Errorf("%q was answered %q", headers, buffer[:n])
		}
	}
	if hijacked || upgraded.Load() {
		t.Errorf("hijacked: %t; the backend saw an upgrade: %t", hijacked, upgraded.Load())
	}
}

// TestSwitchingProtocolsToPlain: 101 is not a response to a sealed request, even if
// responses are not sealed.
func TestSwitchingProtocolsToPlain(t *testing.T) {
	vcas, _ := issuers(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		b.Flush()
	}))
	defer s.Close()
	if _, _, err := do(t, vcas, request(t, "POST", s.URL+"/v1/risk", "{}")); !errors.Is(err,
		sealane.ErrMayBeProcessed) {
		t.Error(err)
	}
}

// TestFailuresOfPlainResponses: responses are recorded even if they are not sealed, so that
// a truncated one does not look complete.
func TestFailuresOfPlainResponses(t *testing.T) {
	vcas, issuer := issuers(t)
	s := httptest.NewServer(&sealhttp.Handler{Lane: sealhttp.OneLane(issuer), Log: discard,
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"Status":"SUC`)
			panic(http.ErrAbortHandler)
		})})
	defer s.Close()
	answer, body, err := do(t, vcas, request(t, "POST", s.URL+"/v1/risk", "{}"))
	if err != nil || answer.StatusCode != 502 || strings.Contains(body, "SUC") || body == "" {
		t.Errorf("%v %q %v", answer, body, err)
	}
}
