package sealhttp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/sealane/sealane/sealhttp"
)

// belongs are headers that belong to one body or to one connection, or ask for a part.
var belongs = []string{"Content-Digest", "Repr-Digest", "Digest", "Content-MD5", "ETag", "Last-Modified",
	"If-None-Match", "If-Match",
	"If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range", "Accept-Ranges", "Want-Content-Digest",
	"Want-Repr-Digest",
	"Upgrade", "HTTP2-Settings", "Keep-Alive", "Proxy-Connection", "Te", "X-Hop"}

func setAll(h http.Header) {
	for _, name := range belongs {
		h.Set(name, "hash-of-the-other-body")
	}
	h.Set("Connection", "x-hop, close")
	h.Set("X-Stays", "1")
}

// TestHeadersOfTheOtherBody: in all four steps, headers that describe the other body are
// removed, and those of the application are passed on.
func TestHeadersOfTheOtherBody(t *testing.T) {
	check := func(where string, h http.Header) {
		t.Helper()
		for _, name := range belongs {
			if got := h.Values(name); len(got) > 0 {
				t.Errorf("%s: %s is %q", where, name, got)
			}
		}
		if h.Get("X-Stays") != "1" {
			t.Errorf("%s: the application's own header is lost", where)
		}
	}
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		check("the request at the service", r.Header)
		setAll(w.Header())
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	tap := &tapTransport{base: http.DefaultTransport}
	client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: tap}}
	r := request(t, "POST", s.URL+"/api/evaluation", "{}")
	setAll(r.Header)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	check("the request on the wire", tap.sent)
	check("the response on the wire", tap.got)
	check("the response at the application", answer.Header)
	// The reverse: a partner that does not use Sealane sends them with the sealed body.
	answer, _ = raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true",
		"X-Stays", "1",
		"Content-Digest", "x", "Repr-Digest", "x", "If-None-Match", "x", "Connection", "x-hop", "X-Hop", "1", "Te",
		"trailers")
	check("the response on the wire", answer.Header)
}

// tapTransport records the headers of messages, and adds those that a partner may send.
type tapTransport struct {
	base      http.RoundTripper
	sent, got http.Header
}

func (t *tapTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.sent = r.Header.Clone()
	response, err := t.base.RoundTrip(r)
	if err == nil {
		t.got = response.Header.Clone()
		setAll(response.Header)
	}
	return response, err
}
