package sealhttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestHeadersAtTheService: headers that describe the sealed body, or ask for a form of the
// answer that cannot be sealed, do not reach the service.
func TestHeadersAtTheService(t *testing.T) {
	const payload = `{"n":1}`
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Accept-Encoding", "Range", "X-Payload-Encrypted"} {
			if got := r.Header.Values(name); got != nil {
				t.Errorf("%s reaches the service: %q", name, got)
			}
		}
		if got := r.Header.Values("Content-Length"); !slices.Equal(got, []string{"7"}) || r.ContentLength != 7 {
			t.Errorf("the payload has 7 bytes, Content-Length is %q (%d)", got, r.ContentLength)
		}
		if got := r.Header.Values("Content-Type"); !slices.Equal(got, []string{"application/json"}) {
			t.Errorf("Content-Type is %q", got)
		}
		if got := r.Header.Values("X-Request-Id"); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("X-Request-Id is %q", got)
		}
		if got, err := io.ReadAll(r.Body); string(got) != payload || err != nil {
			t.Errorf("the service reads %q, %v", got, err)
		}
		io.WriteString(w, `{}`)
	})
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), payload),
		"X-Payload-Encrypted", "true", "Content-Type", "application/json; charset=utf-8",
		"Accept-Encoding", "gzip", "Accept-Encoding", "br", "Range", "bytes=0-1",
		"X-Request-Id", "1", "X-Request-Id", "2")
	if answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// TestTrailersOfTheRequest: a body in chunks has a known length for the next handler, and
// nothing follows it.
func TestTrailersOfTheRequest(t *testing.T) {
	reached := false
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		reached = true
		io.Copy(io.Discard, r.Body)
		if r.TransferEncoding != nil || r.Trailer != nil || r.Header.Get("Trailer") != "" || r.ContentLength != 2 {
			t.Errorf("the service sees Transfer-Encoding %q, trailers %v, length %d",
				r.TransferEncoding, r.Trailer, r.ContentLength)
		}
		io.WriteString(w, `{}`)
	})
	body := wrapped(t, customer(t), `{}`)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Payload-Encrypted: true\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n", len(body), body)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 || !reached {
		t.Errorf("%v, %v; the service was reached: %t", answer, err, reached)
	}
}

// TestTwoCodings: every Content-Encoding header counts, not only the first.
func TestTwoCodings(t *testing.T) {
	good := wrapped(t, customer(t), `{}`)
	for _, c := range []struct {
		codings []string
		status  int
	}{
		{[]string{"identity"}, 200},
		{[]string{"identity", "gzip"}, 400},
		{[]string{"", "gzip"}, 400},
		{[]string{"gzip", "identity"}, 400},
		{[]string{"identity, br"}, 400},
	} {
		s := provider(t, echo)
		headers := []string{"X-Payload-Encrypted", "true"}
		for _, coding := range c.codings {
			headers = append(headers, "Content-Encoding", coding)
		}
		answer, body := raw(t, s.URL+"/api/evaluation", good, headers...)
		log := s.logged()
		if answer.StatusCode != c.status || strings.Contains(log, "fault=http.content-encoding") != (c.status == 400) {
			t.Errorf("%q: %d %s\n%s", c.codings, answer.StatusCode, body, log)
		}
	}
}
