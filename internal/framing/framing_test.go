package framing_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/framing"
)

func TestUnframed(t *testing.T) {
	const whole = `{"a":1}`
	for text, want := range map[string]bool{
		"HTTP/1.0 200 OK\r\n\r\n" + whole:                                                      true,
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + whole:                                 true,
		"HTTP/1.1 200 OK\r\n\r\n":                                                              true,
		"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n" + whole:                                 false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + whole + "\r\n0\r\n\r\n": false,
		"HTTP/1.1 204 No Content\r\n\r\n":                                                      false,
		"HTTP/1.1 304 Not Modified\r\n\r\n":                                                    false,
		"HTTP/2.0 200 OK\r\n\r\n" + whole:                                                      false,
	} {
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := framing.Unframed(r); got != want {
			t.Errorf("%q: %t", text, got)
		}
		r.Body.Close()
	}
}

func TestWhole(t *testing.T) {
	for body, want := range map[string]bool{
		`{"a":1}`: true, " [1] \n": true, `"text"`: true, "true": false, "null": false,
		"": false, " ": false, "1": false, "-1.5": false, " 12 ": false, `{"a":`: false, "[1": false, `"te`: false,
		"tru": false, "{} {}": false, "{}x": false, "<html>": false,
	} {
		if got := framing.Whole([]byte(body)); got != want {
			t.Errorf("%q: %t", body, got)
		}
	}
}

// TestMark: net/http sends a marked response without a length and without chunks.
func TestMark(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		framing.Mark(w.Header())
		fmt.Fprint(w, "text")
	}))
	defer s.Close()
	r, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "text" || !framing.Unframed(r) {
		t.Errorf("%q, %v, %v", body, err, r.Header)
	}
	h := http.Header{}
	if framing.Marked(h) {
		t.Error("it is marked")
	}
	if framing.Mark(h); !framing.Marked(h) {
		t.Error("it is not marked")
	}
}
