package sealhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// TestRefusalsAreNotStored: caches must not store the handler's own answers.
func TestRefusalsAreNotStored(t *testing.T) {
	s := provider(t, echo)
	unknown := httptest.NewServer(&sealhttp.Handler{Log: discard, Next: http.HandlerFunc(echo),
		Lane: func(*http.Request) (*sealane.Lane, error) { return nil, sealhttp.ErrUnauthenticated }})
	defer unknown.Close()
	for _, c := range []struct {
		url, body string
		status    int
	}{{s.URL, `{}`, 400}, {s.URL, `{"encrypted_request":"a.b.c.d.e"}`, 400}, {unknown.URL, `{}`, 401}} {
		answer, _ := raw(t, c.url+"/api/evaluation", c.body, "X-Payload-Encrypted", "true")
		got := answer.Header.Values("Cache-Control")
		if answer.StatusCode != c.status || !slices.Equal(got, []string{"no-store"}) {
			t.Errorf("%d with Cache-Control %q", answer.StatusCode, got)
		}
	}
}

// TestHeadersOfTheService: headers that describe the payload, or allow to guess it, are
// removed from sealed responses. The others are sent.
func TestHeadersOfTheService(t *testing.T) {
	about := map[string]string{
		"Content-Type": "text/x-secret", "ETag": `"abc"`, "Content-MD5": "abc=",
		"Content-Digest": "sha-256=:abc:", "Repr-Digest": "sha-256=:abc:", "Digest": "SHA-256=abc",
		"Accept-Ranges": "bytes", "Content-Range": "bytes 0-1/2",
	}
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range about {
			w.Header().Set(name, value)
		}
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Content-Length", "15")
		w.WriteHeader(201)
		io.WriteString(w, `{"eval_id":"e"}`)
	})
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	if answer.StatusCode != 201 || !strings.HasPrefix(body, `{"eval_id":"e","encrypted_response":"ey`) {
		t.Fatalf("%d %.80s", answer.StatusCode, body)
	}
	for name, value := range about {
		if got := answer.Header.Values(name); slices.Contains(got, value) {
			t.Errorf("%s of the payload is sent: %q", name, got)
		}
	}
	if got := answer.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("Set-Cookie is %q", got)
	}
	contentType := answer.Header.Get("Content-Type")
	if answer.ContentLength != int64(len(body)) || contentType != "application/json" {
		t.Errorf("%d bytes of %s, the header says %d", len(body), contentType, answer.ContentLength)
	}
}

// TestHeadersAfterTheAnswerBegan: headers that are set then have no effect, as with
// net/http.
func TestHeadersAfterTheAnswerBegan(t *testing.T) {
	for _, c := range []struct {
		begin  func(http.ResponseWriter)
		status int
	}{
		{func(w http.ResponseWriter) { w.WriteHeader(201) }, 201},
		{func(w http.ResponseWriter) { io.WriteString(w, `{"a":`) }, 200},
		{func(w http.ResponseWriter) { w.WriteHeader(422) }, 422},
	} {
		s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Before", "1")
			w.Header().Set("X-Changed", "1")
			c.begin(w)
			w.Header().Set("X-After", "1")
			w.Header().Set("X-Changed", "2")
			w.Header().Del("X-Before")
			w.WriteHeader(500)
			io.WriteString(w, `1}`)
		})
		answer, _ := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
		got := fmt.Sprint(answer.Header["X-Before"], answer.Header["X-Changed"], answer.Header["X-After"])
		if answer.StatusCode != c.status || got != "[1] [1] []" {
			t.Errorf("%d with %v", answer.StatusCode, answer.Header)
		}
	}
}

// TestInformationalAnswer: an informational response of the service is not its answer.
func TestInformationalAnswer(t *testing.T) {
	for _, status := range []int{102, 103} {
		s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</x>; rel=preload")
			w.WriteHeader(status)
			w.Header().Set("X-After", "1")
			w.WriteHeader(201)
			io.WriteString(w, `{"eval_id":"e"}`)
		})
		answer, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
		if err != nil || answer.StatusCode != 201 || body != `{"eval_id":"e"}` || answer.Header.Get("X-After") != "1" {
			t.Errorf("after %d: %v %q %v", status, answer, body, err)
		}
	}
}

// TestNoRestAfterTooLarge: if a part of an answer is missing, later writes of the service
// are not taken for its answer.
func TestNoRestAfterTooLarge(t *testing.T) {
	written := make(chan string, 2)
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, part := range []string{strings.Repeat(" ", 1001), `{"eval_id":"e-9"}`} {
			n, err := io.WriteString(w, part)
			written <- fmt.Sprint(n, errors.Is(err, sealane.ErrTooLarge))
		}
	}, func(c *sealane.Config) { c.MaxPayload = 1000 })
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	id, text := errorBody(t, body)
	if answer.StatusCode != 500 || text != testlane.ErrorText(t, "riskos", sealane.ErrSealingFailed) || id == "e-9" {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	for range 2 {
		if got := <-written; got != "0 true" {
			t.Errorf("the service is told: %s", got)
		}
	}
}

// TestHopByHopOfPlainErrors: headers about the service's connection are not sent to the
// partner.
func TestHopByHopOfPlainErrors(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "X-Hop, x-other")
		for _, name := range []string{"X-Hop", "X-Other", "Keep-Alive", "Upgrade", "Proxy-Authenticate", "ETag"} {
			w.Header().Set(name, `"1"`)
		}
		w.WriteHeader(422)
		io.WriteString(w, `{}`)
	})
	answer, _ := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	for _, name := range []string{"Connection", "X-Hop", "X-Other", "Keep-Alive", "Upgrade", "Proxy-Authenticate"} {
		if got := answer.Header.Values(name); got != nil {
			t.Errorf("%s is %q", name, got)
		}
	}
	if answer.StatusCode != 422 || answer.Header.Get("ETag") != `"1"` { // the body is unchanged
		t.Errorf("%d with %v", answer.StatusCode, answer.Header)
	}
}
