package sealhttp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// gate is a provider whose service holds each request until the test lets it go.
// A handler gives a place back after the answer is written: a test that needs the
// place waits for returned.
type gate struct {
	*httptest.Server
	entered  chan chan bool // of each request, what lets it go
	returned chan bool
	clients  sync.WaitGroup
}

func newGate(t *testing.T, h *sealhttp.Handler) *gate {
	t.Helper()
	lane := testlane.New(t, config(t, sealane.ServerSide))
	g := &gate{entered: make(chan chan bool), returned: make(chan bool, 100)}
	over := make(chan bool)
	h.Lane = sealhttp.OneLane(lane)
	h.Next = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		leave := make(chan bool)
		select {
		case g.entered <- leave:
		case <-over:
		}
		select {
		case <-leave:
		case <-over:
		}
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

// send sends a sealed body. It returns what lets the request go, where the service
// holds it, and else the status of the answer.
func (g *gate) send(t *testing.T, body string, headers ...string) (release func(), refused int) {
	t.Helper()
	status := make(chan int, 1)
	g.clients.Go(func() {
		defer close(status)
		answer, _ := raw(t, g.URL+"/api/evaluation", body, append(headers, "X-Payload-Encrypted", "true")...)
		status <- answer.StatusCode
	})
	select {
	case got := <-status:
		<-g.returned
		return nil, got
	case leave := <-g.entered:
		return func() {
			t.Helper()
			close(leave)
			if got := <-status; got != 200 {
				t.Errorf("the request that was held got %d", got)
			}
			<-g.returned
		}, 0
	}
}

// fill sends bodies until one is refused, and some more, which must be refused too.
// It lets all go and returns how many were held.
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

// TestMaxHeld: no more bodies are held at once than MaxHeld says, but for one
// alone, which is served however large. A refused request gives its room back.
func TestMaxHeld(t *testing.T) {
	body := wrapped(t, customer(t), `"`+strings.Repeat("x", 100<<10)+`"`)
	for _, c := range []struct {
		room         int64
		fewest, most int
	}{
		{int64(len(body)) * 13 / 2, 2, 6},
		{int64(len(body)) - 1, 1, 1},
		{1, 1, 1},
	} {
		g := newGate(t, &sealhttp.Handler{MaxHeld: c.room, MaxHeldPerLane: c.room})
		first, again := g.fill(t, body), g.fill(t, body)
		if first < c.fewest || first > c.most || again != first {
			t.Errorf("of bodies with %d bytes, %d bytes held %d, then %d", len(body), c.room, first, again)
		}
	}
}

// TestMaxInFlight: no more requests are held at once, however small. A refused
// request gives its place back, or the handler would never serve again.
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

// TestPlaceOfARefusedBody: whatever is wrong with a body, its place is free again.
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
