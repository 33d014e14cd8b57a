package operation

import (
	"context"
	"slices"

	"github.com/sealane/sealane/internal/registry"
)

// PersonToken is a person's token. It can't be read again.
type PersonToken struct {
	Person string `json:"person"`
	Token  string `json:"token"`
}

// PersonName names a person.
type PersonName struct {
	Person string `json:"person"`
}

// TokenRenewal asks for a new token of one's own.
type TokenRenewal struct {
	// Keep keeps the new token before it is stored that it is valid. If it fails, the old one stays
	// valid; after ErrUncertain it may.
	Keep func(token string) error `json:"-"`
}

// PersonRoles are the roles of a person.
type PersonRoles struct {
	Person string `json:"person"`
	Roles  []Role `json:"roles"`
}

// Operations on people.
var (
	// AddPerson adds a person, and returns their token.
	AddPerson = changing("AddPerson", registry.ActionPersonAdd,
		func(ctx context.Context, s *Session, in Person) (PersonToken, error) {
			token, err := s.Session.AddPerson(ctx, in)
			return PersonToken{in.ID, token}, err
		})

	// RevokePerson ends the use of a person's token.
	RevokePerson = changing("RevokePerson", registry.ActionPersonRevoke,
		func(ctx context.Context, s *Session, in PersonName) (None, error) {
			return None{}, s.Session.RevokePerson(ctx, in.Person)
		})

	// RenewToken replaces a person's token.
	RenewToken = changing("RenewToken", registry.ActionPersonToken,
		func(ctx context.Context, s *Session, in PersonName) (PersonToken, error) {
			token, err := s.Session.RenewToken(ctx, in.Person)
			return PersonToken{in.Person, token}, err
		})

	// RenewOwnToken replaces one's own token.
	RenewOwnToken = changing("RenewOwnToken", registry.ActionTokenRenew,
		func(ctx context.Context, s *Session, in TokenRenewal) (PersonName, error) {
			return PersonName{s.Person().ID}, s.Session.RenewOwnToken(ctx, in.Keep)
		})

	// SetRoles changes a person's roles.
	SetRoles = repeatable("SetRoles", registry.ActionPersonRoles,
		func(ctx context.Context, s *Session, in PersonRoles) (PersonRoles, error) {
			return in, s.Session.SetRoles(ctx, in.Person, in.Roles)
		})

	// ChangePerson changes a person's name or mail address.
	ChangePerson = changing("ChangePerson", registry.ActionPersonChange,
		func(ctx context.Context, s *Session, in PersonChange) (p Person, err error) {
			if err := s.Session.ChangePerson(ctx, in.Person, in.PersonChange); err != nil {
				return p, err
			}
			err = s.View(ctx, func(tx registry.Reader) error {
				p, err = tx.Person(in.Person)
				return err
			})
			return p, err
		})

	// EndToken ends the use of one's own token.
	EndToken = changing("EndToken", registry.ActionTokenEnd,
		func(ctx context.Context, s *Session, _ None) (PersonName, error) {
			return PersonName{s.Person().ID}, s.Session.EndToken(ctx)
		})

	// ListPeople lists people.
	ListPeople = reading("ListPeople", listPeople)

	// WhoAmI returns the person whose session it is.
	WhoAmI = allowed(registry.ActionSelf,
		reading("WhoAmI", func(_ context.Context, v *registry.Viewer, _ None) (Person, error) {
			return v.Person(), nil
		}))
)

// PersonChange says what becomes of a person's facts.
type PersonChange struct {
	Person string `json:"person"`
	registry.PersonChange
}

// PeopleQuery asks for people.
type PeopleQuery struct {
	Revoked bool `json:"revoked,omitempty"` // with those whose token was revoked
}

// PeopleList is a list of people.
type PeopleList struct {
	People []Person `json:"people"`
	Damage
}

func listPeople(ctx context.Context, v *registry.Viewer, in PeopleQuery) (out PeopleList, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		people, damaged, err := registry.Readable(tx.People())
		hidden := func(p Person) bool { return !in.Revoked && !p.Revoked.IsZero() }
		out.People = slices.DeleteFunc(people, hidden)
		out.lack(damaged)
		return err
	})
	return out, err
}
