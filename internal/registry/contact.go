package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
)

// ContactRole is when somebody is written to.
type ContactRole string

// The roles, in the order of escalation.
const (
	Primary   ContactRole = "primary"
	Alternate ContactRole = "alternate"
	Support   ContactRole = "support"
)

// Contact is somebody at the partner, for one environment.
type Contact struct {
	Role  ContactRole `json:"role"`
	Name  string      `json:"name"`
	Email string      `json:"email"`
}

// SetContact adds a contact, or puts it in the place of the one with that role
// and address.
func (s *Session) SetContact(ctx context.Context, lane lanes.Name, c Contact) error {
	return s.changeEnvironment(ctx, ActionContactSet, lane, func(env *Environment) error {
		if err := checkContact(c); err != nil {
			return err
		}
		same := func(o Contact) bool { return o.Role == c.Role && o.Email == c.Email }
		env.Contacts = append(slices.DeleteFunc(env.Contacts, same), c)
		return nil
	})
}

// RemoveContact removes all contacts with that address.
func (s *Session) RemoveContact(ctx context.Context, lane lanes.Name, email string) error {
	return s.changeEnvironment(ctx, ActionContactRemove, lane, func(env *Environment) error {
		before := len(env.Contacts)
		env.Contacts = slices.DeleteFunc(env.Contacts, func(o Contact) bool { return o.Email == email })
		if len(env.Contacts) == before {
			return fmt.Errorf("contact %q of %s: %w", email, lane, ErrNotFound)
		}
		return nil
	})
}

func checkContact(c Contact) error {
	if !slices.Contains([]ContactRole{Primary, Alternate, Support}, c.Role) {
		return Refuse("contact role %q is not known; use %s, %s or %s", c.Role, Primary, Alternate, Support)
	}
	return Judged(cert.CheckEmail(c.Email))
}
