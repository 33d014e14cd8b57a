package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Anchorer writes the head to its anchors at a pace. It has no clockwork of its
// own: the owner calls [Anchorer.Head] after each change, and from time to time
// where there is an Interval. The members must not change after the first call.
type Anchorer struct {
	Anchors []Anchor
	// A head is due when it is Every records behind the one that was written last,
	// or Interval has passed since. Both zero: every head is due.
	Every    int
	Interval time.Duration
	Now      func() time.Time // nil: time.Now

	once   sync.Once
	states []state
}

type state struct {
	putting sync.Mutex // one head after the other
	mu      sync.Mutex // guards status, and is never held while putting
	status  AnchorStatus
}

func (s *state) look() AnchorStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *state) set(now AnchorStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = now
}

// AnchorStatus is how one anchor is doing.
type AnchorStatus struct {
	Anchor string    `json:"anchor"`
	Last   Head      `json:"last"` // the head that it has; Seq 0: none yet
	At     time.Time `json:"at"`   // when that was written
	// Failed is why the newest head could not be written, and Since when that began.
	Failed string    `json:"failed,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

func (a *Anchorer) start() {
	a.once.Do(func() {
		a.states = make([]state, len(a.Anchors))
		for i, anchor := range a.Anchors {
			a.states[i].status.Anchor = anchor.String()
		}
	})
}

// Resume tells what an earlier process knew ([Anchorer.Status]), so that the pace
// goes on across processes. What was never told is due at the first call.
func (a *Anchorer) Resume(earlier []AnchorStatus) {
	a.start()
	for i := range a.states {
		s := &a.states[i]
		s.putting.Lock()
		for _, e := range earlier {
			if now := s.look(); e.Anchor == now.Anchor && e.Last.Seq > now.Last.Seq {
				s.set(e)
			}
		}
		s.putting.Unlock()
	}
}

// Status tells how each anchor is doing, in the order of Anchors.
func (a *Anchorer) Status() []AnchorStatus {
	a.start()
	all := make([]AnchorStatus, len(a.states))
	for i := range a.states {
		all[i] = a.states[i].look()
	}
	return all
}

// Head takes the present head and writes it to those anchors for which it is due,
// all at once. Each has its own pace: one that failed is due again at the next
// call, and does not hold the others. The errors come joined.
//
// A head with the number, but not the hash, of one that was written is an error:
// the chain was rewritten. One with a lower number is passed over, because calls
// may overtake one another; a log that was cut is found by [Verify].
func (a *Anchorer) Head(ctx context.Context, h Head) error {
	a.start()
	if h.Seq == 0 {
		return nil
	}
	errs := make([]error, len(a.states))
	var wait sync.WaitGroup
	for i := range a.states {
		wait.Go(func() { errs[i] = a.one(ctx, i, h) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (a *Anchorer) one(ctx context.Context, i int, h Head) error {
	s := &a.states[i]
	s.putting.Lock()
	defer s.putting.Unlock()
	status := s.look()
	if status.Last.Seq == h.Seq && !bytes.Equal(status.Last.Hash, h.Hash) {
		return refused(a.Anchors[i], h, fmt.Errorf("another hash was written for it before: the chain was rewritten; verify the log"))
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	at := now()
	if status.Last.Seq >= h.Seq || !a.due(status, h, at) {
		return nil
	}
	err := a.Anchors[i].Put(ctx, h)
	if err == nil {
		status = AnchorStatus{Anchor: status.Anchor, Last: h, At: at}
	} else {
		if status.Failed == "" {
			status.Since = at
		}
		status.Failed = err.Error()
	}
	s.set(status)
	return err
}

// A clock that was set back must not stop the pace.
func (a *Anchorer) due(s AnchorStatus, h Head, now time.Time) bool {
	if s.Last.Seq == 0 || s.Failed != "" || a.Every <= 0 && a.Interval <= 0 {
		return true
	}
	if a.Every > 0 && h.Seq-s.Last.Seq >= int64(a.Every) {
		return true
	}
	passed := now.Sub(s.At)
	return a.Interval > 0 && (passed >= a.Interval || passed < 0)
}
