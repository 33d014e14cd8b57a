// Package sealhttp puts a lane on the wire: Transport on the client's side,
// Handler on the server's. It is the only place that turns errors into HTTP and
// HTTP into errors.
package sealhttp

import (
	"context"

	"github.com/sealane/sealane"
)

type contextKey int

const (
	messageKey contextKey = iota
	plainKey
)

// MessageFrom gives the message that the Handler opened for this request, with
// the key that signed it.
func MessageFrom(ctx context.Context) (sealane.Message, bool) {
	m, ok := ctx.Value(messageKey).(sealane.Message)
	return m, ok
}

// WithPlain makes Transport send this one request in clear. A lane that
// requires sealing refuses it all the same.
func WithPlain(ctx context.Context) context.Context {
	return context.WithValue(ctx, plainKey, true)
}

func wantsPlain(ctx context.Context) bool {
	plain, _ := ctx.Value(plainKey).(bool)
	return plain
}
