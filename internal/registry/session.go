package registry

import (
	"context"
	"errors"

	"github.com/sealane/sealane/internal/lanes"
)

// Session is the registry as one authenticated person may use it. What is done in it
// is recorded in that person's name.
type Session struct {
	*Registry
	person Person
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
	return &Session{r, p}, nil
}

// Person returns the person whose session it is, as of the login.
func (s *Session) Person() Person { return s.person }

// ErrUnknownToken means that a token is not known, or was revoked.
var ErrUnknownToken = errors.New("the token is not known or was revoked")
