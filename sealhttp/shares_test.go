package sealhttp_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/sealhttp"
)

// partners are the partners of a gate.
var partners = []string{"a", "b", "c", "d", "e", "f"}

// hold makes requests of a partner wait until one is refused, or there are most.
func (g *gate) hold(t *testing.T, partner, body string, most int) (held []func()) {
	t.Helper()
	for len(held) < most {
		release, refused := g.send(t, body, "X-Partner", partner)
		if release == nil {
			if refused != 503 {
				t.Errorf("%s got %d", partner, refused)
			}
			return held
		}
		held = append(held, release)
	}
	return held
}

// TestPlacesOfSeveralPartners: none has more than three quarters of what the others leave, and all
// together have no more than there are.
func TestPlacesOfSeveralPartners(t *testing.T) {
	body := wrapped(t, customer(t), `{}`)
	g := newGate(t, &sealhttp.Handler{MaxInFlight: 8})
	var all []func()
	for i, want := range []int{6, 2, 0, 0} {
		held := g.hold(t, partners[i], body, 10)
		if len(held) != want {
			t.Errorf("of 8 places, partner %d has %d, want %d", i, len(held), want)
		}
		all = append(all, held...)
	}
	all[0]()
	release, refused := g.send(t, body, "X-Partner", "d")
	if release == nil {
		t.Fatalf("a place is free again, and %d is answered", refused)
	}
	release()
	for _, release := range all[1:] {
		release()
	}
}

// TestBytesOfSeveralPartners: the same for bytes. Requests have half of them.
func TestBytesOfSeveralPartners(t *testing.T) {
	const payload, limit = 50 << 10, 2 << 20
	body := wrapped(t, customer(t), `"`+strings.Repeat("x", payload)+`"`)
	g := newGate(t, &sealhttp.Handler{MaxHeld: limit})
	total, served := 0, 0
	for _, partner := range partners {
		held := g.hold(t, partner, body, 100)
		if len(held)*payload > limit*3/8 {
			t.Errorf("%s holds %d payloads of %d bytes: more than three eighths of %d", partner,
				len(held), payload, limit)
		}
		if total += len(held); len(held) > 0 {
			served++
		}
		defer func() {
			for _, release := range held {
				release()
			}
		}()
	}
	if total*payload > limit/2 || served < 2 {
		t.Errorf("%d partners hold %d payloads of %d bytes, half of the limit is %d", served, total, payload, limit/2)
	}
}

// TestSpaceForAResponse: a request that was served has space for its response while others
// hold theirs, and one request at a time may hold more than that.
func TestSpaceForAResponse(t *testing.T) {
	body := wrapped(t, customer(t), `{}`)
	g := newGate(t, &sealhttp.Handler{MaxHeld: 1 << 20})
	defer g.hold(t, "a", body, 1)[0]()
	for size, want := range map[int]int{1 << 10: 200, 220 << 10: 200, 600 << 10: 200} {
		if got := g.serve(t, body, "X-Partner", "b", "X-Answer", fmt.Sprint(size)); got != want {
			t.Errorf("an answer of %d bytes: %d, want %d", size, got, want)
		}
	}
}

// TestMoreThanTheShare: a request that is alone on its lane may hold more than the
// lane's share, where others leave space.
func TestMoreThanTheShare(t *testing.T) {
	small, large := wrapped(t, customer(t), `{}`), wrapped(t, customer(t), `"`+strings.Repeat("x", 400<<10)+`"`)
	g := newGate(t, &sealhttp.Handler{MaxHeld: 4 << 20})
	defer g.hold(t, "a", small, 1)[0]()
	if got := g.serve(t, large, "X-Partner", "b"); got != 200 {
		t.Errorf("got %d", got)
	}
}

// holdLarge makes a service hold the one request that may exceed the limits, and returns
// the function that releases it.
func (g *gate) holdLarge(t *testing.T) (release func()) {
	t.Helper()
	return g.hold(t, "a", wrapped(t, customer(t), `"`+strings.Repeat("x", 3<<20)+`"`), 1)[0]
}

// TestBytesOfOpening: opening a request needs memory in addition to its body. A body with
// escapes is copied, and needs more.
func TestBytesOfOpening(t *testing.T) {
	small, large := wrapped(t, customer(t), `{}`), wrapped(t, customer(t), `"`+strings.Repeat("x", 160<<10)+`"`)
	escaped := strings.Replace(large, `:"e`, `:"\u0065`, 1)
	n := int64(len(large))
	for _, c := range []struct {
		body string
		half int64 // of MaxHeld, which requests may hold
		want int
	}{
		{large, 2*n + 4<<10, 200},
		{large, 2*n - 4<<10, 503}, // reading it takes less
		{escaped, 4*n + 4<<10, 200},
		{escaped, 4*n - 4<<10, 503},
	} {
		g := newGate(t, &sealhttp.Handler{MaxHeld: 2 * c.half, MaxHeldPerLane: 2 * c.half})
		large := g.holdLarge(t)
		release := g.hold(t, "a", small, 1)[0]
		if got := g.serve(t, c.body, "X-Partner", "b"); got != c.want {
			t.Errorf("a body of %d bytes with space for %d: %d, want %d", len(c.body), c.half, got, c.want)
		}
		release()
		large()
	}
}

// TestBytesOfARequest: while a request is served, it holds the bytes of its payload.
func TestBytesOfARequest(t *testing.T) {
	body := wrapped(t, customer(t), `"`+strings.Repeat("x", 160<<10)+`"`)
	n := int64(len(body))
	limit := 2 * (2*n + n*3/4 + 16<<10) // one is served, and one opened
	g := newGate(t, &sealhttp.Handler{MaxHeld: limit, MaxHeldPerLane: limit})
	defer g.holdLarge(t)()
	defer g.hold(t, "a", body, 1)[0]()
	if got := g.serve(t, body, "X-Partner", "b"); got != 200 {
		t.Errorf("got %d", got)
	}
}

// TestBytesWhileTheClientReads: a response counts until it is written, although its request
// has no place any more. The plain one does not count.
func TestBytesWhileTheClientReads(t *testing.T) {
	const size = 8 << 20 // more than the kernel buffers; 15 MiB when sealed
	body := wrapped(t, customer(t), `{}`)
	for limit, want := range map[int64]int{32 << 20: 500, 64 << 20: 200} { // responses have half of it
		g := newGate(t, &sealhttp.Handler{MaxHeld: limit, MaxHeldPerLane: limit})
		c, err := net.Dial("tcp", g.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Answer: %d\r\n"+
			"X-Payload-Encrypted: true\r\nContent-Length: %d\r\n\r\n%s", size, len(body), body)
		close(<-g.entered)
		if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil { // the response has begun
			t.Fatal(err)
		}
		if got := g.serve(t, body, "X-Partner", "b", "X-Answer", fmt.Sprint(size)); got != want {
			t.Errorf("a second large response got %d, want %d", got, want)
		}
		c.Close()
		<-g.returned
		if got := g.serve(t, body, "X-Partner", "b", "X-Answer", fmt.Sprint(size)); got != 200 {
			t.Errorf("when the first is gone, it got %d", got)
		}
	}
}

// TestRefusedInTheMiddle: a body for which there is no space is refused at once. Its rest
// is not awaited.
func TestRefusedInTheMiddle(t *testing.T) {
	g := newGate(t, &sealhttp.Handler{MaxHeld: 64 << 10})
	defer g.holdLarge(t)()
	release := g.hold(t, "a", wrapped(t, customer(t), `{}`), 1)[0]
	defer release()
	c, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: b\r\nX-Payload-Encrypted: true\r\n"+
		"Content-Length: 200000\r\n\r\n%s", strings.Repeat(" ", 50_000))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 503 || !answer.Close {
		t.Errorf("%v, %v", answer, err)
	}
	c.Close()
	<-g.returned
}
