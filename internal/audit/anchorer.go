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
	told    bool // by Resume: nobody here has written status.Last; guarded by putting
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
// goes on across processes. What was never told is due at the first call. Whoever
// keeps the status in between may have changed it: it sets the pace, and a head that
// contradicts it is an error, and written all the same. So it must be told before
// the head is taken, not behind.
func (a *Anchorer) Resume(earlier []AnchorStatus) {
	a.start()
	for i := range a.states {
		s := &a.states[i]
		s.putting.Lock()
		for _, e := range earlier {
			if now := s.look(); e.Anchor == now.Anchor && e.Last.Seq > now.Last.Seq {
				s.set(e)
				s.told = true
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
func (a *Anchorer) Head(ctx context.Context, h Head) error { return a.all(ctx, h, false) }

// Write is Head for all anchors, whether it is due or not, and whether they have it
// already or not.
func (a *Anchorer) Write(ctx context.Context, h Head) error { return a.all(ctx, h, true) }

func (a *Anchorer) all(ctx context.Context, h Head, always bool) error {
	a.start()
	if h.Seq == 0 {
		return nil
	}
	errs := make([]error, len(a.states))
	var wait sync.WaitGroup
	for i := range a.states {
		wait.Go(func() { errs[i] = a.one(ctx, i, h, always) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (a *Anchorer) one(ctx context.Context, i int, h Head, always bool) error {
	s := &a.states[i]
	s.putting.Lock()
	defer s.putting.Unlock()
	status := s.look()
	wrong := contradiction(status.Last, h, s.told)
	if wrong != nil {
		wrong = refused(a.Anchors[i], h, wrong)
		if !s.told {
			return wrong
		}
		status.Last, always = Head{}, true
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	at := now()
	if status.Last.Seq > h.Seq || !always && (status.Last.Seq == h.Seq || !a.due(status, h, at)) {
		return nil
	}
	err := a.Anchors[i].Put(ctx, h)
	if err == nil {
		status = AnchorStatus{Anchor: status.Anchor, Last: h, At: at}
		s.told = false
	} else {
		if status.Failed == "" {
			status.Since = at
		}
		status.Failed = err.Error()
	}
	s.set(status)
	return errors.Join(wrong, err)
}

// contradiction says how the present head can't follow the last one that was
// written. told is that an earlier process is said to have written it: before this
// head was taken, so that it can't have been overtaken by it.
func contradiction(last, h Head, told bool) error {
	switch {
	case last.Seq == h.Seq && !bytes.Equal(last.Hash, h.Hash):
		return errors.New("another hash was written for it before: the chain was rewritten; verify the log")
	case last.Seq > h.Seq && told:
		return fmt.Errorf("record %d is said to be written there already, and the log ends before it: the log was cut or restored, or the stored status changed; verify the log against the anchor (sealane audit verify --heads)", last.Seq)
	}
	return nil
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
