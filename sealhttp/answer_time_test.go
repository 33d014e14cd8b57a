package sealhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// deadlines records the read deadlines that are set on a connection. If hurry is true, a
// deadline passes at once.
type deadlines struct {
	http.ResponseWriter
	hurry bool
	mu    *sync.Mutex
	set   *[]time.Time
}

func (d deadlines) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d deadlines) SetReadDeadline(at time.Time) error {
	d.mu.Lock()
	*d.set = append(*d.set, at)
	d.mu.Unlock()
	if d.hurry && !at.IsZero() {
		at = time.Now()
	}
	return http.NewResponseController(d.ResponseWriter).SetReadDeadline(at)
}

// noting serves h behind a writer that records deadlines.
func noting(t *testing.T, h http.Handler, hurry bool) (s *httptest.Server, set func() []time.Time) {
	var mu sync.Mutex
	var all []time.Time
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(deadlines{w, hurry, &mu, &all}, r)
	}))
	t.Cleanup(s.Close)
	return s, func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return append([]time.Time(nil), all...)
	}
}

// TestSilentBody: a body that does not arrive is refused after its time, on a server
// without a time-out of its own, and its connection is closed. With a short body net/http
// would read the rest before it answers.
func TestSilentBody(t *testing.T) {
	for _, head := range []string{"Content-Length: 1000", "Content-Length: 300000", "Transfer-Encoding: chunked"} {
		lane := testlane.New(t, config(t, sealane.ServerSide))
		start := time.Now()
		h := &sealhttp.Handler{Lane: sealhttp.OneLane(lane), Next: http.HandlerFunc(echo), Log: discard}
		s, set := noting(t, h, true)
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Payload-Encrypted: true\r\n"+head+"\r\n\r\n1")
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != 400 || !answer.Close {
			t.Fatalf("%s: %v, %v", head, answer, err)
		}
		if all := set(); len(all) == 0 || all[0].Before(start) || all[0].After(start.Add(5*time.Minute)) {
			t.Errorf("%s: the deadlines of a body that begins at %v are %v", head, start, all)
		}
	}
}

// TestRestOfABody: if a body was read in part, or not at all, the connection is closed with
// the answer.
func TestRestOfABody(t *testing.T) {
	lane := testlane.New(t, func() sealane.Config {
		c := config(t, sealane.ServerSide)
		c.MaxPayload = 1000
		return c
	}())
	for name, c := range map[string]struct {
		lane   sealhttp.LaneFunc
		body   string
		status int
		close  bool
	}{
		"read in part": {sealhttp.OneLane(lane), strings.Repeat(" ", lane.MaxToken()+20_000), 413, true},
		"unknown caller": {func(*http.Request) (*sealane.Lane, error) { return nil, sealhttp.ErrUnauthenticated },
			"{}", 401, true},
		"read to its end": {sealhttp.OneLane(lane), "{}", 400, false},
	} {
		s := httptest.NewServer(&sealhttp.Handler{Lane: c.lane, Next: http.HandlerFunc(echo), Log: discard})
		defer s.Close()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Payload-Encrypted: true\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(c.body), c.body)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != c.status || answer.Close != c.close {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
}

// TestServiceHasTime: the deadline of a body does not apply while the request is served:
// the request would end as if its client were gone.
func TestServiceHasTime(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	var set func() []time.Time
	s, set := noting(t, &sealhttp.Handler{
		Lane: sealhttp.OneLane(lane), Log: discard,
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			if all := set(); len(all) < 2 || !all[len(all)-1].IsZero() {
				t.Errorf("while a request is served, its read deadlines are %v", all)
			}
		}),
	}, false)
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err != nil {
		t.Error(err)
	}
}

// lateLog takes a line only after the client has read the whole answer.
type lateLog struct {
	slog.Handler
	t    *testing.T
	read chan bool
}

func (lateLog) Enabled(context.Context, slog.Level) bool { return true }

func (l lateLog) Handle(context.Context, slog.Record) error {
	select {
	case <-l.read:
	case <-time.After(10 * time.Second):
		l.t.Error("the refusal is logged before it is answered")
	}
	return nil
}

// TestLogAfterAnswer: the time of an answer must not depend on the length of the logged
// reason.
func TestLogAfterAnswer(t *testing.T) {
	good := wrapped(t, customer(t), `{}`)
	for name, c := range map[string]struct {
		body   string
		status int
		change func(*sealane.Config)
	}{
		"format":      {`{}`, 400, nil},
		"not a JWE":   {`{"encrypted_request":"a.b.c.d.e"}`, 400, nil},
		"another key": {wrapped(t, customer(t, func(c *sealane.Config) { c.Theirs = stranger(t) }), `{}`), 400, nil},
		"tag":         {strings.Replace(good, good[len(good)-10:len(good)-5], "AAAAA", 1), 400, nil},
		"signature":   {wrapped(t, customer(t, func(c *sealane.Config) { c.Ours = stranger(t) }), `{}`), 400, nil},
		"answer": {good, 500, func(c *sealane.Config) {
			c.Ours = testkey.Ours(t, "provider", mute{testkey.RSA(t, "provider", 2048)})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := config(t, sealane.ServerSide)
			if c.change != nil {
				c.change(&c2)
			}
			lane, read := testlane.New(t, c2), make(chan bool)
			s := httptest.NewServer(&sealhttp.Handler{
				Lane: sealhttp.OneLane(lane),
				Next: http.HandlerFunc(echo),
				Log:  slog.New(lateLog{slog.DiscardHandler, t, read}),
			})
			defer s.Close()
			answer, body := raw(t, s.URL+"/api/evaluation", c.body, "X-Payload-Encrypted", "true")
			close(read)
			if answer.StatusCode != c.status {
				t.Errorf("answered %d %s", answer.StatusCode, body)
			}
		})
	}
}
