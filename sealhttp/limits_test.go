package sealhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

type shareKey struct{}

// shareIn is the share that a test has put into the context.
func shareIn(ctx context.Context, _ *sealane.Lane) sealhttp.Share {
	s, _ := ctx.Value(shareKey{}).(sealhttp.Share)
	return s
}

// client is a customer whose requests have the same limits.
type client struct {
	*http.Client
	t   *testing.T
	url string
}

// newClient returns a customer whose provider answers with so many bytes as the query says.
func newClient(t *testing.T, limits *sealhttp.Limits) *client {
	t.Helper()
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(testlane.New(t, config(t, sealane.ServerSide))), Log: discard,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "panic" {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, `{"id":"`+strings.Repeat("x", len(r.URL.RawQuery))+`"}`)
		}),
	})
	t.Cleanup(s.Close)
	transport := &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Limits: limits}
	return &client{&http.Client{Transport: transport}, t, s.URL}
}

// send sends a request, and returns the function that closes the response.
func (c *client) send(share sealhttp.Share, query, payload string) (done func(), err error) {
	c.t.Helper()
	r := request(c.t, "POST", c.url+"/api/evaluation?"+query, payload)
	response, err := c.Do(r.WithContext(context.WithValue(r.Context(), shareKey{}, share)))
	if err != nil {
		return nil, err
	}
	return func() {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}, nil
}

// fill sends requests until one is refused, and returns those that are open.
func (c *client) fill(share sealhttp.Share, payload string) (open []func()) {
	c.t.Helper()
	for len(open) < 100 {
		done, err := c.send(share, "", payload)
		if err != nil {
			if !errors.Is(err, sealane.ErrUnavailable) || errors.Is(err, sealane.ErrMayBeProcessed) {
				c.t.Errorf("a request for which there is no place: %v", err)
			}
			return open
		}
		open = append(open, done)
	}
	return open
}

// TestTransportLimits: a Transport holds no more than it may, of each account and of all together, until the
// response is closed.
func TestTransportLimits(t *testing.T) {
	var limits sealhttp.Limits
	limits.Set(16, 0, shareIn)
	c := newClient(t, &limits)
	account := func(name string) sealhttp.Share { return sealhttp.Share{Account: name} }
	var all []func()
	for _, one := range []struct {
		share sealhttp.Share
		want  int
	}{
		{account("a"), 12}, {account("b"), 3}, {account("c"), 1}, {account("d"), 0},
	} {
		open := c.fill(one.share, `{}`)
		if len(open) != one.want {
			t.Errorf("of 16 places, %v has %d, want %d", one.share, len(open), one.want)
		}
		all = append(all, open...)
	}
	for _, done := range all {
		done()
		done() // closing twice releases once
	}
	for _, one := range []struct {
		share sealhttp.Share
		want  int
	}{
		{sealhttp.Share{Account: "a", Source: "x"}, 9}, // of 12
		{sealhttp.Share{Account: "a", Source: "y"}, 3},
		{sealhttp.Share{Account: "b", Source: "z"}, 3},
		{sealhttp.Share{Account: "a", Source: "z"}, 0},
	} {
		open := c.fill(one.share, `{}`)
		if len(open) != one.want {
			t.Errorf("%v has %d places, want %d", one.share, len(open), one.want)
		}
		for _, done := range open {
			defer done()
		}
	}
}

// TestTransportBytes: the bytes of requests and of responses count, and those of a request that failed are
// released.
func TestTransportBytes(t *testing.T) {
	var limits sealhttp.Limits
	limits.Set(0, 1<<20, shareIn)
	c := newClient(t, &limits)
	long := `"` + strings.Repeat("x", 50<<10) + `"`
	for range 2 {
		open := c.fill(sealhttp.Share{Account: "a"}, long)
		// Of half a MiB it has three quarters, where each holds the payload and the sealed body.
		if n := len(open); n < 2 || n > 5 {
			t.Errorf("%d requests of 50 KiB are open", n)
		}
		if done, err := c.send(sealhttp.Share{Account: "b"}, "", `{}`); err != nil {
			t.Errorf("another account: %v", err)
		} else {
			done()
		}
		for _, done := range open {
			done()
		}
	}
	for range 50 {
		if _, err := c.send(sealhttp.Share{Account: "a"}, "panic", long); !errors.Is(err, sealane.ErrSealingFailed) {
			t.Fatal(err)
		}
	}
	first, err := c.send(sealhttp.Share{Account: "a"}, strings.Repeat("x", 7<<10), `{}`)
	if err != nil {
		t.Fatal(err)
	}
	first()
}

// TestSharedLimits: what the Handler of one and the Transport of another direction hold counts together, also
// after the limits have changed.
func TestSharedLimits(t *testing.T) {
	limits := &sealhttp.Limits{}
	limits.Set(4, 0, func(context.Context, *sealane.Lane) sealhttp.Share { return sealhttp.Share{Account: "a"} })
	c := newClient(t, limits)
	open := c.fill(sealhttp.Share{}, `{}`)
	if len(open) != 3 {
		t.Fatalf("%d are open, want 3 of 4", len(open))
	}
	g := newGate(t, &sealhttp.Handler{Limits: limits})
	body := wrapped(t, customer(t), `{}`)
	if release, refused := g.send(t, body); release != nil || refused != 503 {
		t.Errorf("a request to the Handler: %d", refused)
	}
	limits.Set(6, 0, nil) // a lane is another account
	release, refused := g.send(t, body)
	if release == nil {
		t.Fatalf("after the limits have changed: %d", refused)
	}
	release()
	for _, done := range open {
		done()
	}
}

// TestReader: what is read of a message that this package does not carry counts until it is released.
func TestReader(t *testing.T) {
	var limits sealhttp.Limits
	limits.Set(0, 96<<10, nil) // 48 KiB of requests, and 36 of one lane
	read := func() (release func(), err error) {
		body, release := limits.Reader(t.Context(), customer(t), strings.NewReader(strings.Repeat("x", 4<<10)), 4)
		_, err = io.Copy(io.Discard, body)
		return release, err
	}
	for range 3 {
		var held []func()
		for range 3 { // two fit, and the third may exceed the limit
			release, err := read()
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, release)
		}
		release, err := read()
		if !errors.Is(err, sealane.ErrUnavailable) {
			t.Errorf("one too many: %v", err)
		}
		for _, release := range append(held, release) {
			release()
		}
	}
}
