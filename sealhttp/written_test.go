package sealhttp_test

import (
	"bufio"
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

// TestNothingHeldWhileRefusing: a refusal that takes long, here because of the log, holds
// neither a place nor the request's bytes.
func TestNothingHeldWhileRefusing(t *testing.T) {
	large := `"` + strings.Repeat("x", 100<<10) + `"`
	good := wrapped(t, customer(t), large)
	mutes := func(c *sealane.Config) {
		c.Ours = testkey.Ours(t, "provider", mute{testkey.RSA(t, "provider", 2048)})
	}
	for name, c := range map[string]struct {
		body   string
		change func(*sealane.Config)
	}{
		"the request": {wrapped(t, customer(t, func(c *sealane.Config) { c.Theirs = stranger(t) }), large), nil},
		"its answer":  {good, mutes},
	} {
		t.Run(name, func(t *testing.T) {
			broken := config(t, sealane.ServerSide)
			broken.Partner = "broken"
			if c.change != nil {
				c.change(&broken)
			}
			lanes := map[string]*sealane.Lane{
				"": testlane.New(t, config(t, sealane.ServerSide)), "broken": testlane.New(t, broken),
			}
			log := make(chan slog.Record) // nobody receives a record until the end
			s := httptest.NewServer(&sealhttp.Handler{
				Lane: func(r *http.Request) (*sealane.Lane, error) { return lanes[r.Header.Get("X-Partner")], nil },
				Next: http.HandlerFunc(echo), Log: slog.New(records{slog.DiscardHandler, log}),
				MaxInFlight: 1, MaxHeld: 900 << 10,
			})
			defer s.Close()
			// The connection is closed: its handler logs when the client has its answer.
			refused, _ := raw(t, s.URL+"/api/evaluation", c.body, "X-Partner", "broken", "X-Payload-Encrypted", "true",
				"Connection", "close")
			if refused.StatusCode < 400 {
				t.Errorf("got %d", refused.StatusCode)
			}
			answer, body := raw(t, s.URL+"/api/evaluation", good, "X-Payload-Encrypted", "true")
			if answer.StatusCode != 200 {
				t.Errorf("while a refusal is logged, another request gets %d %s", answer.StatusCode, body)
				<-log
			}
			<-log
		})
	}
}

// TestPlaceWhilePlainIsRead: a client that does not read a plain error holds no place.
func TestPlaceWhilePlainIsRead(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	s := httptest.NewServer(&sealhttp.Handler{Lane: sealhttp.OneLane(lane), Log: discard, MaxInFlight: 1,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Long") != "" {
				w.WriteHeader(404)
				io.WriteString(w, strings.Repeat("x", 16<<20))
				return
			}
			echo(w, r)
		})})
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := wrapped(t, customer(t), `{}`)
	fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Long: 1\r\nX-Payload-Encrypted: true\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil { // the response has begun
		t.Fatal(err)
	}
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err != nil {
		t.Error(err)
	}
}

// TestNoRestAfterNoSpace: if there was no space for a part of an answer, the rest is not
// taken for the whole.
func TestNoRestAfterNoSpace(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	next := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Partner") == "a" { // the one that may exceed the limit
			io.WriteString(w, `{"x":"`+strings.Repeat(" ", 2<<20)+`"}`)
			entered <- true
			<-leave
			return
		}
		for i, part := range []string{`{"eval_id":"e-9"`, strings.Repeat(" ", 4<<20), `}`} {
			if _, err := io.WriteString(w, part); (err != nil) != (i > 0) {
				t.Errorf("part %d: %v", i, err)
			}
		}
	}
	s, send := twoPartners(t, &sealhttp.Handler{MaxHeld: 1 << 20, Next: http.HandlerFunc(next)})
	done := make(chan error)
	go func() { done <- send("a", `{}`) }() // so that the other one may not
	<-entered
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), `{}`),
		"X-Partner", "b", "X-Payload-Encrypted", "true")
	if answer.StatusCode != 500 {
		t.Errorf("%d %.80s", answer.StatusCode, body)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// writeDeadlines records the write deadlines that are set on a connection.
type writeDeadlines struct {
	http.ResponseWriter
	mu  *sync.Mutex
	set *[]time.Time
}

func (d writeDeadlines) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d writeDeadlines) SetWriteDeadline(at time.Time) error {
	d.mu.Lock()
	*d.set = append(*d.set, at)
	d.mu.Unlock()
	return http.NewResponseController(d.ResponseWriter).SetWriteDeadline(at)
}

// TestTimeToRead: each piece of an answer has its own deadline, and none remains. A
// server's own time-out is not changed.
func TestTimeToRead(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Hour} {
		var mu sync.Mutex
		var set []time.Time
		lane := testlane.New(t, config(t, sealane.ServerSide))
		next := func(w http.ResponseWriter, _ *http.Request) { // more than four pieces of 64 KiB when it is sealed
			io.WriteString(w, `"`+strings.Repeat("x", 200<<10)+`"`)
		}
		h := &sealhttp.Handler{Lane: sealhttp.OneLane(lane), Log: discard, Next: http.HandlerFunc(next)}
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(writeDeadlines{w, &mu, &set}, r)
		}))
		s.Config.WriteTimeout = timeout
		s.Start()
		start := time.Now()
		if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err != nil {
			t.Error(err)
		}
		s.Close() // waits for the handler
		if timeout > 0 {
			if len(set) > 0 {
				t.Errorf("the server's time-out is an hour, and the deadline is set to %v", set)
			}
			continue
		}
		pieces := 0
		for _, at := range set {
			if at.After(start.Add(5 * time.Minute)) {
				t.Errorf("a piece may be read until %v", at)
			}
			if !at.IsZero() {
				pieces++
			}
		}
		if pieces < 4 || !set[len(set)-1].IsZero() {
			t.Errorf("the deadlines are %v", set)
		}
	}
}

// TestFirstReason: the first error is logged, not its consequences.
func TestFirstReason(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		fault string
	}{
		"too large, then short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1001")
			io.WriteString(w, strings.Repeat(" ", 1001))
		}, "local.payload-too-large"},
		"too large, then a panic": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat(" ", 1001))
			panic(http.ErrAbortHandler)
		}, "local.payload-too-large"},
		"too large, and coded": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, strings.Repeat(" ", 1001))
		}, "local.payload-too-large"},
		"an impossible status": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(99)
		}, "http.service-panicked"},
	} {
		s := provider(t, c.serve, func(c *sealane.Config) { c.MaxPayload = 1000 })
		answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), `{}`), "X-Payload-Encrypted", "true")
		if log := s.logged(); answer.StatusCode != 500 || !strings.Contains(log, "fault="+c.fault+" ") {
			t.Errorf("%s: %d %s; the log: %s", name, answer.StatusCode, body, log)
		}
	}
}
