package sealhttp_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// TestAnswersFollow: a server has two keys of each party. A partner that has one of each, whichever it
// is, opens and verifies every answer.
func TestAnswersFollow(t *testing.T) {
	r := newRotating(t)
	r.provider = r.lane(sealane.ServerSide, held{"p-new", "p-old"}, held{"c-old", "c-new"})
	for _, ours := range []string{"c-old", "c-new"} {
		for _, theirs := range []string{"p-old", "p-new"} {
			if times, err := r.send(r.lane(sealane.ClientSide, held{ours}, held{theirs})); err != nil || times != 1 {
				t.Errorf("%s to %s: sent %d times, %v", ours, theirs, times, err)
			}
		}
	}
}

// TestAnswerNotToRevoked: a key that was revoked while the service worked does not seal the answer; the
// active one does.
func TestAnswerNotToRevoked(t *testing.T) {
	r := newRotating(t)
	before := r.lane(sealane.ServerSide, held{"p-new", "p-old"}, held{"c"})
	after := r.lane(sealane.ServerSide, held{"p-new"}, held{"c"})
	var gone error
	var sealed []string
	now := before
	handler := &sealhttp.Handler{
		Lane: sealhttp.OneLane(before),
		Next: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			now = after
			io.WriteString(w, "{}")
		}),
		Log: slog.New(slog.DiscardHandler),
		Hooks: sealhttp.Hooks{
			Latest: func(context.Context, *sealane.Lane) (*sealane.Lane, error) {
				if now == after {
					return now, gone
				}
				return now, nil
			},
			Observe: func(_ context.Context, e sealhttp.Event) {
				if by, ok := e.Keys.Signer(); ok {
					sealed = append(sealed, by.ID)
				}
			},
		},
	}
	customer := r.lane(sealane.ClientSide, held{"c"}, held{"p-old", "p-new"})
	answer := func() int {
		now = before
		token, err := customer.Seal(t.Context(), []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		q := httptest.NewRequest("POST", "/api/evaluation",
			strings.NewReader(string(sealhttp.WrapToken(token, customer.Outbound()))))
		q.Header.Set("X-Payload-Encrypted", "true")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, q)
		return w.Code
	}
	if status := answer(); status != 200 || !slices.Equal(sealed, []string{"p-new"}) {
		t.Errorf("%d, sealed by %v", status, sealed)
	}
	gone = errors.New("the registry is not known any more")
	if status := answer(); status != 500 || len(sealed) != 1 {
		t.Errorf("%d, sealed by %v", status, sealed)
	}
}

// TestRevokedWhileABodyArrives: the lane is the newest one when a message has arrived, on both sides.
func TestRevokedWhileABodyArrives(t *testing.T) {
	r := newRotating(t)
	before := r.lane(sealane.ServerSide, held{"p"}, held{"c"})
	after := r.lane(sealane.ServerSide, held{"p"}, held{"c-next"})
	served := false
	handler := &sealhttp.Handler{
		Lane: sealhttp.OneLane(before), Log: slog.New(slog.DiscardHandler),
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true }),
		Hooks: sealhttp.Hooks{
			Latest: func(context.Context, *sealane.Lane) (*sealane.Lane, error) { return after, nil },
		},
	}
	customer := r.lane(sealane.ClientSide, held{"c"}, held{"p"})
	token, err := customer.Seal(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest("POST", "/api/evaluation",
		strings.NewReader(string(sealhttp.WrapToken(token, customer.Outbound()))))
	q.Header.Set("X-Payload-Encrypted", "true")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, q)
	if w.Code != 400 || served || !strings.Contains(w.Body.String(), "signature") {
		t.Errorf("%d %s, served %v", w.Code, w.Body, served)
	}
	// A client seals with the newest keys, and so does what carries messages by itself.
	r.provider = r.lane(sealane.ServerSide, held{"p-next"}, held{"c"})
	r.latest = r.lane(sealane.ClientSide, held{"c"}, held{"p-next"})
	if times, err := r.send(customer); err != nil || times != 1 {
		t.Errorf("sent %d times: %v", times, err)
	}
	carried := sealhttp.Carried{Lane: customer, Bare: true, Hooks: sealhttp.Hooks{
		Latest: func(context.Context, *sealane.Lane) (*sealane.Lane, error) { return r.latest, nil },
	}}
	message, err := carried.Seal(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.provider.Open(t.Context(), message); err != nil {
		t.Error(err)
	}
}

// TestEndsWhileTheServiceWorks: a certificate that ends while the service works costs no answer.
func TestEndsWhileTheServiceWorks(t *testing.T) {
	r := newRotating(t)
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	theirs := testkey.RSA(t, "c", 2048)
	lane := r.lane(sealane.ServerSide, held{"p"}, held{"c"}, func(c *sealane.Config) {
		c.Expired, c.Now = sealane.ExpiredRefuse, func() time.Time { return now }
		c.Theirs = testlane.Ring(t,
			keyring.Key{ID: "c", State: keyring.Active, Public: &theirs.PublicKey, NotAfter: now})
	})
	r.provider = lane
	customer := r.lane(sealane.ClientSide, held{"c"}, held{"p"})
	token, err := customer.Seal(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	handler := &sealhttp.Handler{
		Lane: sealhttp.OneLane(lane), Log: slog.New(slog.DiscardHandler),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			now = now.Add(time.Second)
			io.WriteString(w, "{}")
		}),
	}
	for _, want := range []int{200, 503} { // the second request comes after the end
		q := httptest.NewRequest("POST", "/api/evaluation",
			strings.NewReader(string(sealhttp.WrapToken(token, customer.Outbound()))))
		q.Header.Set("X-Payload-Encrypted", "true")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, q); w.Code != want {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
	}
}

// TestNoResendOfAmbiguousRefusals: where several outcomes have one text, as in RDX, a refusal does not show that the
// partner lacks a key.
func TestNoResendOfAmbiguousRefusals(t *testing.T) {
	for name, want := range map[string]bool{"riskos": true, "rdx": false} {
		p := testlane.Profile(t, name)
		compiled, err := p.Compile()
		if err != nil {
			t.Fatal(err)
		}
		row, ok := p.Errors.Row(sealane.ErrDecryption)
		if !ok || compiled.OneOutcome(row.Status, row.Text) != want {
			t.Errorf("%s: %d %s", name, row.Status, row.Text)
		}
	}
}
