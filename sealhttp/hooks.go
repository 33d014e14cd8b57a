package sealhttp

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// Step is one of the two operations on a message.
type Step string

// The steps.
const (
	StepSeal Step = sealane.OpSeal
	StepOpen Step = sealane.OpOpen
)

// Hooks let a program limit and observe what a [Handler] or a [Transport] does. The zero
// value does nothing.
type Hooks struct {
	// Admit is called before each message is sealed or opened, when all of it has arrived.
	// It may wait. The function that it returns is called when the step is done. An error
	// counts as [sealane.ErrUnavailable]: a request is not opened (503) or not sent, and
	// the response of a Handler is [sealane.ErrSealingFailed].
	Admit func(ctx context.Context, lane *sealane.Lane, step Step) (release func(), err error)
	// Observe is called after each step, and once for each message that is refused before or after
	// its step. It must not keep the Event's message.
	Observe func(ctx context.Context, e Event)
	// Unopened is called for each message that could not be decrypted or verified, before the refusal
	// is answered. The message is the body as it came, or the bare token of a [Carried]. Unopened must
	// neither keep nor change it.
	Unopened func(ctx context.Context, lane *sealane.Lane, message []byte, err error)
	// Latest returns the newest lane with the same partner in the same environment. It is called
	// before a message is opened or sealed, when all of it has arrived, so that no key is used that
	// was revoked since the lane was looked up. The default is the lane itself. An error has the
	// result that one of Admit has.
	Latest func(ctx context.Context, lane *sealane.Lane) (*sealane.Lane, error)
}

// Event describes the result for a message.
type Event struct {
	// Lane is the message's lane.
	Lane *sealane.Lane
	// Step says whether the message had to be sealed or opened.
	Step Step
	// Err is nil if the step succeeded. Otherwise [sealane.OutcomeOf] and [sealane.FaultOf]
	// return the reason.
	Err error
	// Message is the opened message. It is nil for a message that was sealed or refused.
	Message sealane.Message
	// KeyID is the ID of our key that opened the message, or "".
	KeyID string
	// Keys are the keys that sealed the message. They are zero if it was not sealed.
	Keys sealane.SealKeys
	// Resend is why the partner refused the request before it was sealed again with other keys:
	// [sealane.ErrDecryption] or [sealane.ErrSignature]. It is "" for any other message.
	Resend profile.Outcome
	// Size is the length of the payload in bytes.
	Size int
	// Waited is how long Admit took, Took how long sealing or opening took after that.
	Waited, Took time.Duration
	// Stack is the stack of the service's panic, or "".
	Stack string
}

// Outcome returns what the partner may learn of a refusal, and "" for a message that was
// sealed or opened.
func (e Event) Outcome() profile.Outcome { return sealane.OutcomeOf(e.Err) }

// Fault returns the exact fault of a refusal, or "".
func (e Event) Fault() fault.Code { return sealane.FaultOf(e.Err) }

func (h Hooks) admit(ctx context.Context, lane *sealane.Lane, step Step) (func(), error) {
	if h.Admit == nil {
		return func() {}, nil
	}
	release, err := h.Admit(ctx, lane, step)
	if err != nil {
		busy := failure(lane, string(step), sealane.ErrUnavailable, fault.Busy, "")
		busy.Err = err
		return nil, busy
	}
	return release, nil
}

func (h Hooks) observe(ctx context.Context, e Event) {
	if h.Observe != nil {
		h.Observe(ctx, e)
	}
}

// refused observes a message that was not sealed or opened.
func (h Hooks) refused(ctx context.Context, lane *sealane.Lane, step Step, err error) {
	h.observe(ctx, Event{Lane: lane, Step: step, Err: err})
}

// openHeld is openBody for a body whose memory is reserved. The memory of the message is reserved too.
func (h Hooks) openHeld(
	ctx context.Context, lane *sealane.Lane, body *buffer,
) (m sealane.Message, siblings []member, err error) {
	added := len(body.data)
	if bytes.IndexByte(body.data, '\\') >= 0 {
		added *= 3 // a token with escapes is copied twice
	}
	if err := body.held.grow(added); err != nil {
		return nil, nil, err
	}
	m, siblings, err = h.openBody(ctx, lane, body.data)
	if err == nil {
		body.held.shrink(added - len(body.data)*3/4) // the payload's buffer
	}
	return m, siblings, err
}

// openBody calls the function openBody between the hooks. It does not observe a refusal;
// the caller does.
func (h Hooks) openBody(
	ctx context.Context, lane *sealane.Lane, body []byte,
) (m sealane.Message, siblings []member, err error) {
	return h.open(ctx, lane, body, func() (sealane.Message, []member, error) { return openBody(ctx, lane, body) })
}

// open is openBody for any way to open a message.
func (h Hooks) open(
	ctx context.Context, lane *sealane.Lane, message []byte, opened func() (sealane.Message, []member, error),
) (m sealane.Message, siblings []member, err error) {
	began := time.Now()
	release, err := h.admit(ctx, lane, StepOpen)
	if err != nil {
		return nil, nil, err
	}
	admitted := time.Now()
	func() {
		defer release()
		m, siblings, err = opened()
	}()
	if h.Unopened != nil && (errors.Is(err, sealane.ErrDecryption) || errors.Is(err, sealane.ErrSignature)) {
		h.Unopened(ctx, lane, message, err)
	}
	if err == nil { // a panic is not observed
		h.observe(ctx, Event{
			Lane: lane, Step: StepOpen, Message: m, KeyID: m.OpenedBy().ID, Size: len(m.Payload()),
			Waited: admitted.Sub(began), Took: time.Since(admitted),
		})
	}
	return m, siblings, err
}

// sealBody calls [sealing.body] between the hooks. It does not observe a refusal; the caller does.
func (h Hooks) sealBody(ctx context.Context, s sealing, payload []byte) (body []byte, err error) {
	return h.seal(ctx, s, len(payload), func() ([]byte, error) { return s.body(ctx, payload) })
}

// seal is sealBody for any way to seal a payload of a size.
func (h Hooks) seal(
	ctx context.Context, s sealing, size int, sealed func() ([]byte, error),
) (message []byte, err error) {
	began := time.Now()
	release, err := h.admit(ctx, s.lane, StepSeal)
	if err != nil {
		return nil, err
	}
	admitted := time.Now()
	func() {
		defer release()
		message, err = sealed()
	}()
	if err == nil {
		h.observe(ctx, Event{
			Lane: s.lane, Step: StepSeal, Keys: s.keys, Resend: s.after, Size: size,
			Waited: admitted.Sub(began), Took: time.Since(admitted),
		})
	}
	return message, err
}

// latest returns the lane with which to open or seal what has arrived: see Latest.
func (h Hooks) latest(ctx context.Context, lane *sealane.Lane) (*sealane.Lane, error) {
	if h.Latest == nil {
		return lane, nil
	}
	l, err := h.Latest(ctx, lane)
	if err == nil && (l == nil || l.Name() != lane.Name() || l.Side() != lane.Side()) {
		err = errors.New("sealhttp.Hooks: Latest returned another lane")
	}
	if err != nil {
		gone := failure(lane, sealane.OpReadBody, sealane.ErrUnavailable, fault.LaneGone, "")
		gone.Err = err
		return nil, gone
	}
	return l, nil
}

// WithID returns a context for a request to a [Handler]. If the request is refused, the
// response has that identifier instead of one from NewID.
func WithID(ctx context.Context, id string) context.Context { return context.WithValue(ctx, idKey, id) }
