// Package sealhttp seals and opens the bodies of HTTP messages: a [Transport] on the
// client's side, a [Handler] on the server's. Programs on both sides see plain JSON.
//
// # Client
//
// [NewClient] returns an *http.Client for a lane. A [Transport] is its
// http.RoundTripper, for clients with a configuration of their own. Its errors tell
// apart a refusal by the partner, a response that can't be used, and a request that was
// not sent: see [Transport.RoundTrip].
//
// # Server
//
// A [Handler] opens requests, calls the next handler with the payload, and seals what
// that answers. Its LaneFunc authenticates the caller and returns the caller's lane.
//
// # Messages
//
// [MessageFrom] tells who signed: on the server from the request's context, on the
// client from the context of the response's Request.
//
// This package is the only place that turns errors into HTTP and HTTP into errors.
package sealhttp

import (
	"context"
	"net/http"

	"github.com/sealane/sealane"
)

// LaneFunc returns the lane of a request. It is called once for each request, so it
// may return another lane whenever keys or rules have changed.
type LaneFunc func(*http.Request) (*sealane.Lane, error)

// OneLane returns a LaneFunc that always returns lane.
func OneLane(lane *sealane.Lane) LaneFunc {
	return func(*http.Request) (*sealane.Lane, error) { return lane, nil }
}

type contextKey int

const (
	messageKey contextKey = iota
	plainKey
	idKey
)

// MessageFrom returns the message that was opened: for a server's request from r.Context(),
// for a client's response from response.Request.Context(). It reports false if the message
// was not sealed. A transport that wraps a Transport must leave the response's Request
// unchanged, or the message is not found.
func MessageFrom(ctx context.Context) (sealane.Message, bool) {
	m, ok := ctx.Value(messageKey).(sealane.Message)
	return m, ok
}

// withMessage returns a context with the message, or without one if m is nil: a request
// that is made while another one is served would otherwise inherit that one's message.

func withMessage(ctx context.Context, m sealane.Message) context.Context {
	return context.WithValue(ctx, messageKey, m)
}

// WithPlain makes Transport send one request unencrypted. A lane that requires sealing
// still refuses it.
func WithPlain(ctx context.Context) context.Context {
	return context.WithValue(ctx, plainKey, true)
}

func wantsPlain(ctx context.Context) bool {
	plain, _ := ctx.Value(plainKey).(bool)
	return plain
}
