package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// AddContacts adds the contacts that are not there yet, and returns them.
func (s *Session) AddContacts(ctx context.Context, lane lanes.Name, of []Contact) (added []Contact, err error) {
	err = s.changeEnvironment(ctx, ActionContactSet, lane, func(env *Environment) error {
		added = nil
		for _, c := range of {
			same := ContactName{c.Role, c.Email}.names
			if slices.ContainsFunc(env.Contacts, same) {
				continue
			}
			env.Contacts, added = append(env.Contacts, c), append(added, c)
		}
		if len(added) == 0 {
			return Refuse("%s has these contacts already", lane)
		}
		return nil
	})
	return added, err
}

// ContactName names the contacts with an address: the one with that role, or all if it is empty.
type ContactName struct {
	Role  ContactRole `json:"role,omitempty"`
	Email string      `json:"email"`
}

func (n ContactName) names(c Contact) bool {
	return strings.EqualFold(c.Email, n.Email) && (n.Role == "" || n.Role == c.Role)
}

// ChangeContact changes the one contact that is named, by change.
func (s *Session) ChangeContact(
	ctx context.Context, lane lanes.Name, which ContactName, change func(*Contact),
) (changed Contact, err error) {
	err = s.changeEnvironment(ctx, ActionContactChange, lane, func(env *Environment) error {
		at := slices.IndexFunc(env.Contacts, which.names)
		if at < 0 {
			return fmt.Errorf("contact %q of %s: %w", which.Email, lane, ErrNotFound)
		}
		if slices.ContainsFunc(env.Contacts[at+1:], which.names) {
			return Refuse("%s has %q in several roles: say which", lane, which.Email).
				Needing(Need{Kind: NeedRole, Value: string(env.Contacts[at].Role)})
		}
		changed = env.Contacts[at]
		change(&changed)
		if err := checkContact(changed); err != nil {
			return err
		}
		for i, o := range env.Contacts {
			if i != at && o.Role == changed.Role && strings.EqualFold(o.Email, changed.Email) {
				return Refuse("%s has %q as its %s contact already", lane, changed.Email, changed.Role)
			}
		}
		env.Contacts[at] = changed
		return nil
	})
	return changed, err
}

// RemoveContact removes the contacts that are named.
func (s *Session) RemoveContact(ctx context.Context, lane lanes.Name, which ContactName) error {
	return s.changeEnvironment(ctx, ActionContactRemove, lane, func(env *Environment) error {
		before := len(env.Contacts)
		env.Contacts = slices.DeleteFunc(env.Contacts, which.names)
		if len(env.Contacts) == before {
			return fmt.Errorf("contact %q of %s: %w", which.Email, lane, ErrNotFound)
		}
		return nil
	})
}

// hasNewContact reports whether an environment has an address that it did not have, or one in another role.
func (e Environment) hasNewContact(before Environment) bool {
	return slices.ContainsFunc(e.Contacts, func(c Contact) bool {
		return !slices.ContainsFunc(before.Contacts, func(o Contact) bool {
			return o.Role == c.Role && strings.EqualFold(o.Email, c.Email)
		})
	})
}

func checkContact(c Contact) error {
	if !slices.Contains([]ContactRole{Primary, Alternate, Support}, c.Role) {
		return Refuse("contact role %q is not known; use %s, %s or %s", c.Role, Primary, Alternate, Support)
	}
	return Judged(cert.CheckEmail(c.Email))
}
