package sealhttp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
)

// TestStrangeAnswers has responses that proxies and firewalls send or change: the error says what
// they are, and that the request may have been processed.
func TestStrangeAnswers(t *testing.T) {
	const sealed = `{"encrypted_response":"eyJhbGciOiJSU0EtT0FFUC0yNTYifQ.a.b.c.d"}`
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		says   []string
	}{
		"firewall": {200, http.Header{"Content-Type": {"text/html"}},
			"<html><head><title>Request Rejected</title></head><body>Your support ID is: 123</body></html>",
			[]string{`an HTML page with the title "Request Rejected"`, `Content-Type "text/html"`,
				"proxy or a firewall"}},
		"byte order mark": {200, nil, "\ufeff" + sealed, []string{"body.byte-order-mark"}},
		"deflate": {200, http.Header{"Content-Encoding": {"deflate"}}, "\x78\x9c\xab\x56\x00",
			[]string{`Content-Encoding is "deflate"`}},
		"gzip without a header": {200, nil, "\x1f\x8b\x08\x00\x00\x00", []string{"compressed by gzip"}},
		"moved": {301, http.Header{"Location": {"/api/evaluation/?id=secret"}}, "",
			[]string{"/api/evaluation/"}},
		"JSON": {200, nil, `{"id":"1"}`, []string{"no member"}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			for name, values := range c.header {
				w.Header()[name] = values
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}))
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
		if !errors.Is(err, sealane.ErrMayBeProcessed) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", name, err, says)
			}
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "support ID") {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}
