package sealhttp_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane/sealhttp"
)

// compressed returns a body as gzip or zlib writes it.
func compressed(t *testing.T, body []byte, by string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if by == "deflate" {
		w = zlib.NewWriter(&b)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changing is a proxy in front of a provider, which changes or replaces its answers.
func changing(t *testing.T, change func(r *http.Response, body []byte) []byte) string {
	t.Helper()
	to, err := url.Parse(provider(t, echo).URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = change(r, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL + "/api/evaluation"
}

// TestRelabelledAnswers: headers that a proxy changes, and a compression that was asked for, make
// nothing of a good answer.
func TestRelabelledAnswers(t *testing.T) {
	for name, change := range map[string]func(r *http.Response, body []byte) []byte{
		"nothing": func(_ *http.Response, body []byte) []byte { return body },
		"text/plain": func(r *http.Response, body []byte) []byte {
			r.Header.Set("Content-Type", "text/plain; charset=ISO-8859-1")
			return body
		},
		"charset=utf8": func(r *http.Response, body []byte) []byte {
			r.Header.Set("Content-Type", "application/json; charset=utf8")
			return body
		},
		"no Content-Type": func(r *http.Response, body []byte) []byte {
			r.Header["Content-Type"] = nil
			return body
		},
		"gzip that was asked for": func(r *http.Response, body []byte) []byte {
			if !strings.Contains(r.Request.Header.Get("Accept-Encoding"), "gzip") {
				return body
			}
			r.Header.Set("Content-Encoding", "gzip")
			return compressed(t, body, "gzip")
		},
	} {
		_, opened, err := do(t, customer(t), request(t, "POST", changing(t, change), `{"id":"r-1"}`))
		if err != nil || !strings.Contains(opened, "r-1") {
			t.Errorf("%s: %v, %.100q", name, err, opened)
		}
	}
}

// TestChangedAnswers: the error about an answer that a proxy has changed says what the body is.
func TestChangedAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]byte) []byte
		header [2]string
		says   string
	}{
		"byte order mark": {
			change: func(b []byte) []byte { return append([]byte("\ufeff"), b...) }, says: "body.byte-order-mark",
		},
		"gzip": {
			change: func(b []byte) []byte { return compressed(t, b, "gzip") }, says: "compressed by gzip",
		},
		"deflate": {
			change: func(b []byte) []byte { return compressed(t, b, "deflate") },
			header: [2]string{"Content-Encoding", "deflate"}, says: `Content-Encoding is "deflate"`,
		},
		"a page": {
			change: func([]byte) []byte { return []byte("<html><head><title>Request Rejected</title></head></html>") },
			header: [2]string{"Content-Type", "text/html"}, says: `HTML page with the title "Request Rejected"`,
		},
		"empty": {change: func([]byte) []byte { return nil }, says: "The body is empty"},
		"a prefix against scripts": {
			change: func(b []byte) []byte { return append([]byte(")]}',\n"), b...) }, says: "not one JSON value",
		},
		"wrapped": {
			change: func(b []byte) []byte { return []byte(`{"data":` + string(b) + `,"status":"ok"}`) },
			says:   `no member "encrypted_response"`,
		},
		"quoted": {
			change: func(b []byte) []byte {
				quoted, err := json.Marshal(string(b))
				if err != nil {
					t.Error(err)
				}
				return quoted
			}, says: "not a JSON object",
		},
		"a line end in the token": {
			change: func(b []byte) []byte { return bytes.Replace(b, []byte(`"}`), []byte(`\n"}`), 1) },
			says:   `'\n' at offset`,
		},
		"a member twice": {
			change: func(b []byte) []byte {
				return append(bytes.TrimSuffix(bytes.TrimSpace(b), []byte("}")), `,"encrypted_response":"x"}`...)
			}, says: "two members of one name",
		},
	} {
		address := changing(t, func(r *http.Response, body []byte) []byte {
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			return c.change(body)
		})
		_, opened, err := do(t, customer(t), request(t, "POST", address, `{"id":"r-1"}`))
		if err == nil || !strings.Contains(err.Error(), c.says) ||
			!strings.Contains(err.Error(), "the request may have been processed") {
			t.Errorf("%s: %v, %.100q; want %s", name, err, opened, c.says)
		}
	}
}

// TestErrorsOfAProxy: an error that a proxy answers in place of the provider comes with its status, and as
// an unencrypted message.
func TestErrorsOfAProxy(t *testing.T) {
	for status, c := range map[int]struct{ name, value, body string }{
		http.StatusBadGateway:          {"Content-Type", "text/html", "<title>502 Bad Gateway</title>"},
		http.StatusInternalServerError: {"Content-Type", "application/json", `{"message":"key not found"}`},
		http.StatusUnauthorized:        {"Content-Type", "application/json", `{"error":"unauthorized"}`},
		http.StatusProxyAuthRequired:   {"Proxy-Authenticate", `Basic realm="proxy"`, ""},
	} {
		address := changing(t, func(r *http.Response, _ []byte) []byte {
			r.StatusCode, r.Header = status, http.Header{c.name: {c.value}}
			return []byte(c.body)
		})
		answer, body, err := do(t, customer(t), request(t, "POST", address, `{"id":"r-1"}`))
		if err != nil || answer.StatusCode != status || body != c.body {
			t.Errorf("%d: %v, %q", status, err, body)
			continue
		}
		if m, ok := sealhttp.MessageFrom(answer.Request.Context()); ok {
			t.Errorf("%d: it is said to be sealed: %v", status, m)
		}
	}
}
