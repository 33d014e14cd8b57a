package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Anchorer writes each new head to its anchors. Its fields must not change after the first
// call.
type Anchorer struct {
	Anchors []Anchor
	// Earlier is the status from an earlier process, see Status. An anchor that failed then
	// is not tried again before a minute has passed.
	Earlier []AnchorStatus
	Now     func() time.Time // nil: time.Now

	once   sync.Once
	states []anchorState
}

// An anchor that hangs must not be in the way of a person who makes a change.
const (
	// retryAfter is how long an anchor that failed is not tried again.
	retryAfter = time.Minute
	// patience is how long a change waits for an anchor, and probe how long for one that failed the
	// last time. Write waits as long as the anchor itself.
	patience = 2 * time.Second
	probe    = patience / 10
)

type anchorState struct {
	putting chan struct{} // holds one value while a head is written, so that heads are written in order
	written Head          // the last head that was written here; guarded by putting

	mu     sync.Mutex // never held while a head is written
	status AnchorStatus
}

func (s *anchorState) look() AnchorStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *anchorState) set(now AnchorStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = now
}

// AnchorStatus is the status of one anchor.
type AnchorStatus struct {
	Anchor string    `json:"anchor"`
	Last   Head      `json:"last"` // the last head that was written; Seq 0: none yet
	At     time.Time `json:"at"`   // when that was written
	// Failed is the reason why the newest head could not be written, Since is when that
	// began, and Tried is the time of the last attempt.
	Failed string    `json:"failed,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Tried  time.Time `json:"tried,omitzero"`
}

// Check returns a contradiction if the log cannot be the one whose head was written to the
// anchor: it is shorter, or has another record in that place.
func (s AnchorStatus) Check(log Reader) (contradiction, err error) {
	if s.Last.Seq <= 0 {
		return nil, nil
	}
	head, err := log.AuditHead()
	if err != nil {
		return nil, err
	}
	if s.Last.Seq > head.Seq {
		return fmt.Errorf("anchor %s: record %d is said to be written there already, and the log ends before it: "+
			"the log was cut or restored, or the stored status changed; "+
			"verify the log against the heads of the anchor", s.Anchor, s.Last.Seq), nil
	}
	records, err := log.AuditRecords(s.Last.Seq-1, 1)
	if err == nil && (len(records) == 0 || !bytes.Equal(records[0].Hash, s.Last.Hash)) {
		return fmt.Errorf("anchor %s: record %d: %w", s.Anchor, s.Last.Seq, errRewritten), nil
	}
	return nil, err
}

var errRewritten = errors.New("another hash was written for it before: the chain was rewritten; verify the log")

func (a *Anchorer) start() {
	a.once.Do(func() {
		a.states = make([]anchorState, len(a.Anchors))
		for i, anchor := range a.Anchors {
			status := AnchorStatus{Anchor: anchor.String()}
			for _, e := range a.Earlier {
				if e.Anchor == status.Anchor {
					status = e
				}
			}
			a.states[i].status, a.states[i].putting = status, make(chan struct{}, 1)
		}
	})
}

// Status returns the status of each anchor, in the order of Anchors.
func (a *Anchorer) Status() []AnchorStatus {
	a.start()
	all := make([]AnchorStatus, len(a.states))
	for i := range a.states {
		all[i] = a.states[i].look()
	}
	return all
}

// Head writes the current head to all anchors, except to those that failed less than a
// minute ago, which is an error too. The errors are joined.
//
// It waits at most two seconds, and a tenth of that for an anchor that failed the last time. If an
// anchor has not taken the head by then, that is an error, which its status keeps.
//
// If a head with the same number but another hash was written before, the error says that
// the chain was rewritten. If another call has already written a later head, Head does
// nothing. [Verify] finds a log that was truncated.
func (a *Anchorer) Head(ctx context.Context, h Head) error { return a.all(ctx, h, false) }

// Write is like Head for all anchors, including those that failed or have the head already.
func (a *Anchorer) Write(ctx context.Context, h Head) error { return a.all(ctx, h, true) }

func (a *Anchorer) all(ctx context.Context, h Head, always bool) error {
	a.start()
	if h.Seq == 0 {
		return nil
	}
	errs := make([]error, len(a.states))
	var wait sync.WaitGroup
	for i := range a.states {
		wait.Go(func() { errs[i] = a.inTime(ctx, i, h, always) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// inTime writes a head to one anchor, and returns when the time for that has passed. An anchor on a
// file system that hangs can't be interrupted: its writer ends when the system lets it, and until
// then no other begins.
func (a *Anchorer) inTime(ctx context.Context, i int, h Head, always bool) error {
	s := &a.states[i]
	wait, limit := anchorTimeout, anchorTimeout // for the heads before, and for this one
	switch failed := s.look().Failed != ""; {
	case !always && failed:
		wait, limit = probe, probe
	case !always:
		limit = patience
	}
	turn, cancel := within(ctx, wait)
	defer cancel()
	select {
	case s.putting <- struct{}{}:
	case <-turn.Done():
		return a.late(turn, i, h)
	}
	ctx, cancel = within(ctx, limit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		err := a.one(ctx, i, h, always)
		<-s.putting
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return a.late(ctx, i, h)
	}
}

func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not answer within %v", limit))
}

// late notes that an anchor has not taken a head in time.
func (a *Anchorer) late(ctx context.Context, i int, h Head) error {
	err := refused(a.Anchors[i], h, context.Cause(ctx))
	a.states[i].fail(err, a.now())
	return err
}

// one is inTime without its limit.
func (a *Anchorer) one(ctx context.Context, i int, h Head, always bool) error {
	s := &a.states[i]
	switch {
	case h.Seq == s.written.Seq && !bytes.Equal(h.Hash, s.written.Hash):
		return refused(a.Anchors[i], h, errRewritten)
	case h.Seq < s.written.Seq, h.Seq == s.written.Seq && !always:
		return nil
	}
	status, now := s.look(), a.now()
	// A clock that was set back must not delay an anchor.
	if passed := now.Sub(status.Tried); status.Failed != "" && !always && passed >= 0 && passed < retryAfter {
		return refused(a.Anchors[i], h, fmt.Errorf("it was not tried, because it failed %s ago: %s",
			passed.Round(time.Second), status.Failed))
	}
	err := a.Anchors[i].Put(ctx, h)
	if err == nil {
		s.written = h
		s.set(AnchorStatus{Anchor: status.Anchor, Last: h, At: now})
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = refused(a.Anchors[i], h, cause)
	}
	s.fail(err, now)
	return err
}

// fail notes that the newest head could not be written.
func (s *anchorState) fail(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Failed == "" {
		s.status.Since = now
	}
	s.status.Failed, s.status.Tried = err.Error(), now
}

func (a *Anchorer) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}
