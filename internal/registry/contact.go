package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
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
func (s *Session) SetContact(ctx context.Context, partner, environment string, c Contact) error {
	return s.changeEnvironment(ctx, ActionContactSet, partner, environment, func(env *Environment) error {
		if err := checkContact(c); err != nil {
			return err
		}
		env.Contacts = slices.DeleteFunc(env.Contacts, func(o Contact) bool { return o.Role == c.Role && o.Email == c.Email })
		env.Contacts = append(env.Contacts, c)
		return nil
	})
}

// RemoveContact removes whoever has that address.
func (s *Session) RemoveContact(ctx context.Context, partner, environment, email string) error {
	return s.changeEnvironment(ctx, ActionContactRemove, partner, environment, func(env *Environment) error {
		before := len(env.Contacts)
		env.Contacts = slices.DeleteFunc(env.Contacts, func(o Contact) bool { return o.Email == email })
		if len(env.Contacts) == before {
			return fmt.Errorf("contact %q of %s in %s: %w", email, partner, environment, ErrNotFound)
		}
		return nil
	})
}

func checkContact(c Contact) error {
	if !slices.Contains([]ContactRole{Primary, Alternate, Support}, c.Role) {
		return fmt.Errorf("contact role %q is not known; use %s, %s or %s", c.Role, Primary, Alternate, Support)
	}
	return cert.CheckEmail(c.Email)
}
