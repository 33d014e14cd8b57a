package registry

import (
	"context"
	"errors"

	"github.com/sealane/sealane/internal/lanes"
)

// Session is the registry as one authenticated person may use it. What is done in it
// is recorded in that person's name.
type Session struct {
	Registry *Registry
	person   Person
	reason   string // of the changes
}

// Login returns the session of the person whose token it is. The error is
// [ErrUnknownToken] where nobody has it.
func (r *Registry) Login(ctx context.Context, token string) (*Session, error) {
	var p Person
	hash := lanes.TokenHash(token)
	err := r.Store.View(ctx, func(tx Tx) (err error) {
		p, err = tx.PersonBySHA256(hash[:])
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !p.Revoked.IsZero():
		return nil, ErrUnknownToken
	case err != nil:
		return nil, err
	}
	return &Session{Registry: r, person: p}, nil
}

// WithReason returns the session with a reason, which is recorded with the changes that are
// made by it. It belongs to one change, or to several that are done for the same reason.
func (s *Session) WithReason(reason string) *Session {
	with := *s
	with.reason = reason
	return &with
}

// Reason returns the reason of the changes, which may be empty.
func (s *Session) Reason() string { return s.reason }

// View runs look on a consistent state of the registry.
func (s *Session) View(ctx context.Context, look func(Tx) error) error {
	return s.Registry.Store.View(ctx, look)
}

// Person returns the person whose session it is, as of the login.
func (s *Session) Person() Person { return s.person }

// ErrUnknownToken means that a token is not known, or was revoked.
var ErrUnknownToken = errors.New("the token is not known or was revoked")
