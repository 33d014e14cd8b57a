package sealhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// gate is a provider whose service holds each request until the test releases it, and
// answers with as many bytes as X-Answer says. X-Partner names the lane of a request. A
// handler releases a place after the answer is written: a test that needs the place waits
// for returned.
type gate struct {
	*httptest.Server
	entered  chan chan bool // of each request: the channel that releases it
	returned chan bool
	clients  sync.WaitGroup
}

func newGate(t *testing.T, h *sealhttp.Handler) *gate {
	t.Helper()
	g := &gate{entered: make(chan chan bool), returned: make(chan bool, 100)}
	over := make(chan bool)
	lanes := map[string]*sealane.Lane{}
	for _, partner := range []string{"", "a", "b", "c", "d", "e", "f"} {
		c := config(t, sealane.ServerSide)
		c.Partner = partner
		lanes[partner] = testlane.New(t, c)
	}
	h.Lane = func(r *http.Request) (*sealane.Lane, error) { return lanes[r.Header.Get("X-Partner")], nil }
	h.Next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave := make(chan bool)
		select {
		case g.entered <- leave:
		case <-over:
		}
		select {
		case <-leave:
		case <-over:
		}
		size, _ := strconv.Atoi(r.Header.Get("X-Answer"))
		io.WriteString(w, strings.Repeat(" ", size))
	})
	h.Log = discard
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { g.returned <- true }()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(over)
		g.clients.Wait()
		g.Close()
	})
	return g
}

// start sends a sealed body. It returns the channel that releases the request, or nil if
// the service does not hold it, and the status of its answer.
func (g *gate) start(t *testing.T, body string, headers ...string) (leave chan bool, status chan int) {
	t.Helper()
	status = make(chan int, 1)
	g.clients.Go(func() {
		got := 0
		defer func() { status <- got }()
		answer, _ := raw(t, g.URL+"/api/evaluation", body, append(headers, "X-Payload-Encrypted", "true")...)
		got = answer.StatusCode
	})
	select {
	case got := <-status:
		<-g.returned
		status <- got
		return nil, status
	case leave = <-g.entered:
		return leave, status
	}
}

// send sends a sealed body. It returns the channel that releases the request if the service
// holds it, and otherwise the status of the answer.
func (g *gate) send(t *testing.T, body string, headers ...string) (release func(), refused int) {
	t.Helper()
	leave, status := g.start(t, body, headers...)
	if leave == nil {
		return nil, <-status
	}
	return func() {
		t.Helper()
		close(leave)
		if got := <-status; got != 200 {
			t.Errorf("the request that was held got %d", got)
		}
		<-g.returned
	}, 0
}

// serve sends a sealed body and releases the request. It returns the status of the answer.
func (g *gate) serve(t *testing.T, body string, headers ...string) int {
	t.Helper()
	leave, status := g.start(t, body, headers...)
	if leave != nil {
		close(leave)
		defer func() { <-g.returned }()
	}
	return <-status
}

// fill sends bodies until one is refused, and some more, which must be refused too. It
// releases all and returns how many were held.
func (g *gate) fill(t *testing.T, body string) int {
	t.Helper()
	var held []func()
	for len(held) < 20 {
		release, refused := g.send(t, body)
		if release == nil {
			if refused != 503 {
				t.Errorf("a request for which there is no place got %d", refused)
			}
			break
		}
		held = append(held, release)
	}
	for range 3 {
		if release, _ := g.send(t, body); release != nil {
			t.Error("a request was served for which there is no place")
			release()
		}
	}
	for _, release := range held {
		release()
	}
	return len(held)
}

// TestMaxHeld: no more bodies are held at a time than MaxHeld allows, except one that is
// alone, which is served at any size. A refused request releases its bytes.
func TestMaxHeld(t *testing.T) {
	body := wrapped(t, customer(t), `"`+strings.Repeat("x", 100<<10)+`"`)
	for _, c := range []struct {
		limit        int64
		fewest, most int
	}{
		{int64(len(body)) * 13 / 2, 2, 6},
		{int64(len(body)) - 1, 1, 1},
		{1, 1, 1},
	} {
		g := newGate(t, &sealhttp.Handler{MaxHeld: c.limit, MaxHeldPerLane: c.limit})
		first, again := g.fill(t, body), g.fill(t, body)
		if first < c.fewest || first > c.most || again != first {
			t.Errorf("of bodies with %d bytes, %d bytes held %d, then %d", len(body), c.limit, first, again)
		}
	}
}

// TestMaxInFlight: no more requests are held at a time, however small. A refused request
// releases its place, or the handler would never serve again.
func TestMaxInFlight(t *testing.T) {
	body := wrapped(t, customer(t), `{}`)
	for _, c := range []struct{ places, fewest, most int }{{6, 2, 6}, {1, 1, 1}} {
		g := newGate(t, &sealhttp.Handler{MaxInFlight: c.places})
		first, again := g.fill(t, body), g.fill(t, body)
		if first < c.fewest || first > c.most || again != first {
			t.Errorf("%d places held %d, then %d", c.places, first, again)
		}
	}
}

// TestPlaceOfARefusedBody: whatever is wrong with a body, its place is released.
func TestPlaceOfARefusedBody(t *testing.T) {
	body := wrapped(t, customer(t), `{}`)
	g := newGate(t, &sealhttp.Handler{MaxInFlight: 1, MaxHeld: 1})
	for _, bad := range [][]string{
		{body, "Content-Type", "text/plain"},
		{body, "Content-Encoding", "gzip"},
		{``},
		{`{}`},
		{`{"encrypted_request":"a.b.c.d.e"}`},
		{wrapped(t, customer(t, func(c *sealane.Config) { c.Theirs = stranger(t) }), "{}")},
	} {
		if _, refused := g.send(t, bad[0], bad[1:]...); refused != 400 {
			t.Errorf("%.40s with %v got %d", bad[0], bad[1:], refused)
		}
		release, refused := g.send(t, body)
		if release == nil {
			t.Fatalf("after %.40s with %v, a good request got %d", bad[0], bad[1:], refused)
		}
		release()
	}
}
