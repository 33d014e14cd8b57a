package sandbox_test

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

// noon is when every test happens, unless it moves its clock.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// clockAt is a clock that a test moves while a server reads it.
type clockAt struct{ passed atomic.Int64 }

func (c *clockAt) Now() time.Time          { return noon.Add(time.Duration(c.passed.Load())) }
func (c *clockAt) forward(d time.Duration) { c.passed.Add(int64(d)) }

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

type reply struct {
	status int
	header http.Header
	raw    string
	json   map[string]any // numbers as json.Number
}

// text returns a string member of nested objects, "" when there is none.
func (r reply) text(names ...string) string {
	var v any = r.json
	for _, n := range names {
		o, _ := v.(map[string]any)
		v = o[n]
	}
	s, _ := v.(string)
	return s
}

func send(t *testing.T, method, url, body string, header ...string) reply {
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
	got := reply{status: r.StatusCode, header: r.Header, raw: string(b)}
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		t.Fatalf("%s %s: Content-Type %q with body %q", method, url, ct, b)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&got.json); err != nil {
		t.Fatalf("%s %s: answer is no JSON object: %v: %q", method, url, err, b)
	}
	return got
}
