package sealhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// held names the keys that a party has of itself or of the other, the active one first.
type held []string

// ring returns the keys of a party. The states of the others are alternately retiring and staged.
func ring(t testing.TB, ours bool, names held) *keyring.Ring {
	var keys []keyring.Key
	for i, name := range names {
		private := testkey.RSA(t, name, 2048)
		k := keyring.Key{ID: name, Public: &private.PublicKey, State: keyring.Active}
		if i > 0 {
			k.State = keyring.Retiring - keyring.State((i+1)%2)
		}
		if ours {
			k.Private = private
		}
		keys = append(keys, k)
	}
	return testlane.Ring(t, keys...)
}

// rotating is a customer and a provider over HTTP who may have different keys of each other.
type rotating struct {
	t        testing.TB
	mu       sync.Mutex
	provider *sealane.Lane
	sent     []string // the bodies that the provider received
	server   *httptest.Server
	now      time.Time
	latest   *sealane.Lane // of the customer, or nil
	events   []sealhttp.Event
	resends  sealhttp.Resends
}

func newRotating(t testing.TB) *rotating {
	r := &rotating{t: t, now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
	r.resends.Now = func() time.Time { return r.now }
	handler := &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return r.provider, nil },
		Next: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			io.Copy(w, q.Body)
		}),
		Log: slog.New(slog.DiscardHandler),
	}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.sent = append(r.sent, string(body))
		r.mu.Unlock()
		q.Body = io.NopCloser(strings.NewReader(string(body)))
		handler.ServeHTTP(w, q)
	}))
	t.Cleanup(r.server.Close)
	return r
}

// lane returns a lane of one party, changed by each of change.
func (r *rotating) lane(side sealane.Side, ours, theirs held, change ...func(*sealane.Config)) *sealane.Lane {
	c := sealane.Config{Profile: testlane.Profile(r.t, "riskos"), Side: side,
		Ours: ring(r.t, true, ours), Theirs: ring(r.t, false, theirs)}
	for _, f := range change {
		f(&c)
	}
	return testlane.New(r.t, c)
}

// send sends a message on a lane of the customer, and returns how often it was sent.
func (r *rotating) send(customer *sealane.Lane) (times int, err error) {
	r.mu.Lock()
	r.sent, r.events = nil, nil
	r.mu.Unlock()
	client := &http.Client{Transport: &sealhttp.Transport{
		Lane: sealhttp.OneLane(customer), Resends: &r.resends,
		Hooks: sealhttp.Hooks{
			Observe: func(_ context.Context, e sealhttp.Event) { r.events = append(r.events, e) },
			Latest: func(_ context.Context, l *sealane.Lane) (*sealane.Lane, error) {
				if r.latest != nil {
					return r.latest, nil
				}
				return l, nil
			},
		},
	}}
	const payload = `{"module":"m"}`
	response, err := client.Post(r.server.URL+"/api/evaluation", "application/json", strings.NewReader(payload))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return len(r.sent), err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != payload {
		r.t.Errorf("%q, %v", body, err)
	}
	return len(r.sent), nil
}

// seals returns the keys of the messages that were sealed, as "signer>recipient/refusal".
func (r *rotating) seals() string {
	var list []string
	for _, e := range r.events {
		if e.Step == sealhttp.StepSeal && e.Err == nil {
			by, _ := e.Keys.Signer()
			to, _ := e.Keys.Recipient()
			list = append(list, fmt.Sprintf("%s>%s/%s", by.ID, to.ID, string(e.Resend)))
		}
	}
	return strings.Join(list, " ")
}

// TestResend: the partner has one key pair and one certificate, and may have replaced each of them
// or not. Whichever keys are active with us, the message arrives, and is sent once more for each
// that the partner lacks.
func TestResend(t *testing.T) {
	r := newRotating(t)
	both := func(prefix string, active string) held {
		if active == "old" {
			return held{prefix + "old", prefix + "new"}
		}
		return held{prefix + "new", prefix + "old"}
	}
	ages := []string{"old", "new"}
	for _, ours := range ages {
		for _, theirs := range ages {
			for _, has := range ages {
				for _, uses := range ages {
					r.resends = sealhttp.Resends{Now: r.resends.Now}
					r.provider = r.lane(sealane.ServerSide, held{"p-" + uses}, held{"c-" + has})
					customer := r.lane(sealane.ClientSide, both("c-", ours), both("p-", theirs))
					times, err := r.send(customer)
					want := 1
					for _, differs := range []bool{ours != has, theirs != uses} {
						if differs {
							want++
						}
					}
					if err != nil || times != want {
						t.Errorf("ours %s, theirs %s, partner has %s and uses %s: sent %d times, want %d: %v (%s)",
							ours, theirs, has, uses, times, want, err, r.seals())
					}
					r.mu.Lock()
					bodies := slices.Compact(slices.Sorted(slices.Values(r.sent)))
					r.mu.Unlock()
					if len(bodies) != times {
						t.Error("a message was sent twice")
					}
				}
			}
		}
	}
}

// TestResendEvents: a message that is sealed again says why, and is no refusal.
func TestResendEvents(t *testing.T) {
	r := newRotating(t)
	r.provider = r.lane(sealane.ServerSide, held{"p-new"}, held{"c-new"})
	customer := r.lane(sealane.ClientSide, held{"c-old", "c-new"}, held{"p-old", "p-new"})
	if _, err := r.send(customer); err != nil {
		t.Fatal(err)
	}
	if got, want := r.seals(), "c-old>p-old/ c-old>p-new/decryption c-new>p-new/signature"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, e := range r.events {
		if e.Err != nil {
			t.Errorf("%s: %v", e.Step, e.Err)
		}
	}
}

// TestResendOrder: of several other keys, one that the partner may still use comes before one that it
// may use already.
func TestResendOrder(t *testing.T) {
	r := newRotating(t)
	for _, test := range []struct {
		uses  string
		fails bool
	}{{"p-retiring", false}, {"p-staged", true}} {
		r.resends = sealhttp.Resends{Now: r.resends.Now}
		r.provider = r.lane(sealane.ServerSide, held{test.uses}, held{"c"})
		times, err := r.send(r.lane(sealane.ClientSide, held{"c"}, held{"p", "p-retiring", "p-staged"}))
		if times != 2 || (err != nil) != test.fails {
			t.Errorf("%s: sent %d times, %v", test.uses, times, err)
		}
		if test.fails && !errors.Is(err, sealane.ErrDecryption) {
			t.Error(err)
		}
	}
}

// TestNoResend: nothing is sent again without another key, with a reason against it, after another refusal, or
// when the caller does not wait any more.
func TestNoResend(t *testing.T) {
	r := newRotating(t)
	old := held{"p-old"}
	for name, test := range map[string]struct {
		customer *sealane.Lane
		provider *sealane.Lane
		on       error
	}{
		"no other key": {
			r.lane(sealane.ClientSide, held{"c"}, held{"p-new"}),
			r.lane(sealane.ServerSide, old, held{"c"}), sealane.ErrDecryption,
		},
		"a reason": {
			r.lane(sealane.ClientSide, held{"c"}, held{"p-new", "p-old"},
				func(c *sealane.Config) { c.NoResend = "the partner counts refusals" }),
			r.lane(sealane.ServerSide, old, held{"c"}), sealane.ErrDecryption,
		},
		"another refusal": {
			r.lane(sealane.ClientSide, held{"c", "c-old"}, held{"p-old", "p-new"}),
			r.lane(sealane.ServerSide, nil, nil, func(c *sealane.Config) { c.Ours, c.Theirs = nil, nil }),
			sealane.ErrNotSupported,
		},
	} {
		r.provider = test.provider
		if times, err := r.send(test.customer); times != 1 || !errors.Is(err, test.on) {
			t.Errorf("%s: sent %d times, %v", name, times, err)
		}
	}
}

// TestResendRemembers: what the partner accepted is used first for ten minutes.
func TestResendRemembers(t *testing.T) {
	r := newRotating(t)
	customer := r.lane(sealane.ClientSide, held{"c"}, held{"p-old", "p-new"})
	began := r.now
	r.provider = r.lane(sealane.ServerSide, held{"p-new"}, held{"c"})
	for _, step := range []struct {
		after time.Duration
		uses  string
		times int
	}{
		{0, "p-new", 2},
		{time.Minute, "p-new", 1},
		{10*time.Minute - 1, "p-new", 1},
		{10 * time.Minute, "p-new", 2},
		{11 * time.Minute, "p-old", 2}, // it went back
		{11 * time.Minute, "p-old", 1},
	} {
		r.now = began.Add(step.after)
		r.provider = r.lane(sealane.ServerSide, held{step.uses}, held{"c"})
		if times, err := r.send(customer); err != nil || times != step.times {
			t.Errorf("after %v: sent %d times, want %d: %v", step.after, times, step.times, err)
		}
	}
	// What the lane does not have any more is not remembered.
	r.provider = r.lane(sealane.ServerSide, held{"p-new"}, held{"c"})
	if _, err := r.send(customer); err != nil {
		t.Fatal(err)
	}
	times, err := r.send(r.lane(sealane.ClientSide, held{"c"}, held{"p-old"}))
	if times != 1 || !errors.Is(err, sealane.ErrDecryption) || !strings.HasPrefix(r.seals(), "c>p-old/") {
		t.Errorf("sent %d times: %v (%s)", times, err, r.seals())
	}
}

// TestResendNotToRevoked: a key that was revoked while the partner answered is not used.
func TestResendNotToRevoked(t *testing.T) {
	r := newRotating(t)
	r.provider = r.lane(sealane.ServerSide, held{"p-old"}, held{"c"})
	r.latest = r.lane(sealane.ClientSide, held{"c"}, held{"p-new"})
	times, err := r.send(r.lane(sealane.ClientSide, held{"c"}, held{"p-new", "p-old"}))
	if times != 1 || !errors.Is(err, sealane.ErrDecryption) {
		t.Errorf("sent %d times: %v", times, err)
	}
}
