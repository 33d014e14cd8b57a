// Package sandboxtest sends requests to the stand-ins in their own tests.
package sandboxtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Noon is the time of every test, unless it moves its clock.
var Noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// AtNoon is a clock that stands still.
func AtNoon() time.Time { return Noon }

// Clock is a clock that a test moves while a server reads it.
type Clock struct{ passed atomic.Int64 }

// Now returns the time on the clock.
func (c *Clock) Now() time.Time { return Noon.Add(time.Duration(c.passed.Load())) }

// Forward moves the clock.
func (c *Clock) Forward(d time.Duration) { c.passed.Add(int64(d)) }

// Serve starts a server that ends with the test.
func Serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// Reply is an answer whose body is a JSON object.
type Reply struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any // numbers as json.Number
}

// Text returns a string member of nested objects, "" when there is none.
func (r Reply) Text(names ...string) string {
	var v any = r.JSON
	for _, n := range names {
		o, _ := v.(map[string]any)
		v = o[n]
	}
	s, _ := v.(string)
	return s
}

// Send sends a JSON body, with header fields as pairs of name and value, and reads the answer.
func Send(t *testing.T, method, url, body string, header ...string) Reply {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := Reply{Status: r.StatusCode, Header: r.Header, Raw: string(b)}
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		t.Fatalf("%s %s: Content-Type %q with body %q", method, url, ct, b)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&got.JSON); err != nil {
		t.Fatalf("%s %s: answer is no JSON object: %v: %q", method, url, err, b)
	}
	return got
}
