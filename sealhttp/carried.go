package sealhttp

import (
	"bytes"
	"context"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/profile"
)

// Carried seals and opens messages that are carried by something other than the HTTP of this
// package, such as a queue. The messages are the same as those of a [Transport] and a [Handler].
type Carried struct {
	// Lane is required.
	Lane *sealane.Lane
	// Bare says that a message is the token alone, and not the body around it.
	Bare bool
	// Endpoint is that of the request which the message is or belongs to. Without it, a response
	// is not compared with its request.
	Endpoint *profile.Match
	// Request is the payload of the request to a response, or a JSON object with those of its
	// members that the response repeats.
	Request []byte
	// Keys are those that Seal uses. The zero value stands for the active ones; for a response,
	// see [sealane.Lane.ReplyKeys].
	Keys sealane.SealKeys
	// Hooks limit and observe.
	Hooks Hooks
}

// Seal seals a payload for the partner.
func (c Carried) Seal(ctx context.Context, payload []byte) (message []byte, err error) {
	s := sealing{keys: c.Keys}
	if s.lane, err = c.Hooks.latest(ctx, c.Lane); err == nil {
		c.Lane = s.lane
		if s.keys == (sealane.SealKeys{}) {
			s.keys, err = c.Lane.SealKeys()
		}
	}
	if err != nil {
		c.Hooks.refused(ctx, c.Lane, StepSeal, err)
		return nil, err
	}
	message, err = c.Hooks.seal(ctx, s, len(payload), func() ([]byte, error) {
		if c.Bare {
			return c.Lane.AppendSealWith(ctx, nil, payload, s.keys)
		}
		if c.Lane.Side() == sealane.ServerSide && c.Endpoint != nil {
			s.name, s.id, _ = requestInfo{endpoint: *c.Endpoint}.identifier(payload)
		}
		return s.body(ctx, payload)
	})
	if err != nil {
		c.Hooks.refused(ctx, c.Lane, StepSeal, err)
	}
	return message, err
}

// Open opens a message of the partner. A response is compared with the request if there is an
// Endpoint; the error then wraps [sealane.ErrContradiction].
func (c Carried) Open(ctx context.Context, message []byte) (m sealane.Message, err error) {
	latest, err := c.Hooks.latest(ctx, c.Lane)
	if err != nil {
		c.Hooks.refused(ctx, c.Lane, StepOpen, err)
		return nil, err
	}
	c.Lane = latest
	var siblings []member
	m, siblings, err = c.Hooks.open(ctx, c.Lane, message, func() (sealane.Message, []member, error) {
		if c.Bare {
			m, err := c.Lane.OpenMessage(ctx, bytes.TrimSpace(message))
			return m, nil, err
		}
		return openBody(ctx, c.Lane, message)
	})
	if err == nil && c.Endpoint != nil && c.Lane.Side() == sealane.ClientSide {
		err = requestInfo{*c.Endpoint, c.Request}.bind(c.Lane, siblings, m.Payload())
	}
	if err != nil {
		c.Hooks.refused(ctx, c.Lane, StepOpen, err)
		return nil, err
	}
	return m, nil
}
