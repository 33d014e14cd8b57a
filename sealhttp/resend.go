package sealhttp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/profile"
)

// Resends remembers for ten minutes with which keys a partner accepted a message, after it had
// refused the active ones. One Resends can serve many Transports. The zero value is ready to use,
// and safe for concurrent use.
type Resends struct {
	// Now returns the time. The default is time.Now.
	Now func() time.Time

	mu    sync.Mutex
	lanes map[string]accepted // by name
}

// accepted are the keys that a partner accepted.
type accepted struct {
	keys  sealane.SealKeys
	until time.Time
}

const (
	rememberFor  = 10 * time.Minute
	mostRemember = 10_000 // lanes
)

func (r *Resends) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// first returns the keys with which a message is sealed first.
func (r *Resends) first(lane *sealane.Lane) sealane.SealKeys {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.lanes[lane.Name()]
	if ok && !r.now().Before(known.until) {
		delete(r.lanes, lane.Name())
		return sealane.SealKeys{}
	}
	return known.keys
}

// worked records that a partner accepted keys after it had refused others.
func (r *Resends) worked(lane *sealane.Lane, keys sealane.SealKeys) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.lanes) >= mostRemember {
		for name, known := range r.lanes {
			if !now.Before(known.until) {
				delete(r.lanes, name)
			}
		}
	}
	if active, err := lane.SealKeys(); err != nil || keys == active || len(r.lanes) >= mostRemember {
		delete(r.lanes, lane.Name())
		return
	}
	if r.lanes == nil {
		r.lanes = map[string]accepted{}
	}
	r.lanes[lane.Name()] = accepted{keys, now.Add(rememberFor)}
}

// attempts are the keys with which one request is sealed, one after the other.
type attempts struct {
	sealing
	refused map[profile.Outcome]bool // each cause once
}

// begin returns the first attempt at a request.
func (r *Resends) begin(lane *sealane.Lane) (attempts, error) {
	a := attempts{sealing: sealing{lane: lane, keys: r.first(lane)}}
	keys, err := lane.Known(a.keys)
	if err == nil {
		err = lane.MaySeal(keys)
	}
	if err != nil {
		keys, err = lane.SealKeys()
	}
	a.keys = keys
	return a, err
}

// next chooses the keys for another attempt after an error of the last. It reports false if the
// error does not show that the partner lacks a key, or no other key counts.
func (a *attempts) next(ctx context.Context, h Hooks, failed error) bool {
	refusal, is := errors.AsType[*PartnerError](failed)
	if !is || a.refused[refusal.Outcome] || ctx.Err() != nil ||
		!a.lane.Profile().OneOutcome(refusal.Status, refusal.Text) {
		return false
	}
	lane, err := h.latest(ctx, a.lane)
	if err != nil || a.lane.NoResend() != "" || lane.NoResend() != "" {
		return false
	}
	keys, found := lane.OtherKeys(a.keys, refusal.Outcome)
	if !found {
		return false
	}
	if a.refused == nil {
		a.refused = map[profile.Outcome]bool{}
	}
	a.refused[refusal.Outcome] = true
	a.lane, a.keys, a.after = lane, keys, refusal.Outcome
	return true
}

// resends returns the Transport's Resends.
func (t *Transport) resends() *Resends {
	if t.Resends != nil {
		return t.Resends
	}
	return &t.own
}

// exchange seals a request, sends it, and opens its response. If the response shows that the
// partner lacks a key, and so has processed nothing, it does that again with another key.
func (t *Transport) exchange(
	lane *sealane.Lane, r *http.Request, endpoint profile.Match, held *reservation,
) (*http.Response, error) {
	payload, err := t.payload(lane, r, endpoint, held)
	if err != nil {
		return nil, t.notSent(r, endpoint, lane, err)
	}
	latest, err := t.Hooks.latest(r.Context(), lane) // reading the body may have taken long
	if err != nil {
		return nil, t.notSent(r, endpoint, lane, err)
	}
	try, err := t.resends().begin(latest)
	if err != nil {
		return nil, t.notSent(r, endpoint, lane, err)
	}
	for {
		sealed, err := t.seal(try.sealing, r, payload, held)
		if err != nil {
			return nil, t.notSent(r, endpoint, lane, err)
		}
		response, err := t.send(sealed, endpoint.Path())
		if err != nil {
			return nil, err
		}
		held.serving()
		response.Request = r.WithContext(response.Request.Context())
		opened, err := t.openResponse(try.lane, response, requestInfo{endpoint, payload}, held)
		switch {
		case err == nil:
			if try.after != "" && success(opened.StatusCode) {
				t.resends().worked(try.lane, try.keys)
			}
			return opened, nil
		case !try.next(r.Context(), t.Hooks, err):
			t.Hooks.refused(r.Context(), try.lane, StepOpen, err)
			return nil, err
		}
		held.again(int(sealed.ContentLength))
	}
}
