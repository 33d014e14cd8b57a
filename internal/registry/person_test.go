package registry_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// person adds somebody, and returns their session and token.
func person(t *testing.T, s *registry.Session, id string, roles ...registry.Role) (*registry.Session, string) {
	t.Helper()
	var token string
	must(t, agreed(t, s, func() (err error) {
		token, err = s.AddPerson(t.Context(), registry.Person{ID: id, Roles: roles})
		return err
	}))
	own, err := s.Registry().Login(t.Context(), token)
	must(t, err)
	return own, token
}

// agreed does an act. If it needs a second person, another approver grants it.
func agreed(t testing.TB, s *registry.Session, act func() error) error {
	t.Helper()
	err := act()
	needed, waits := errors.AsType[*registry.SecondPersonError](err)
	if !waits {
		return err
	}
	ctx := t.Context()
	r, err := s.MakeRequest(ctx, needed.Request)
	must(t, err)
	var people []registry.Person
	must(t, s.View(ctx, func(tx registry.Reader) (err error) {
		people, _, err = registry.Readable(tx.People())
		return err
	}))
	for _, p := range people {
		if p.ID != s.Person().ID && p.ID != r.About && p.Revoked.IsZero() &&
			slices.Contains(p.Roles, registry.Approver) {
			_, err = s.Registry().SessionOf(p).GrantRequest(ctx, r.ID)
			must(t, err)
			return act()
		}
	}
	t.Fatal("there is no other approver")
	return nil
}

// Two tokens for one address would be two people who are one. An address is free again
// when its owner's token is revoked.
func TestOneTokenForOneAddress(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	add := func(id, email string) error {
		return agreed(t, s, func() error {
			return third(s.AddPerson(ctx,
				registry.Person{ID: id, Email: email, Roles: []registry.Role{registry.Approver}}))
		})
	}
	must(t, add("ben", "ben@bank.example"))
	must(t, add("bea", "bea@bank.example"))
	refused(t, "ben has the address ben@bank.example already: one person, one token", add("ben2", "ben@bank.example"))
	refused(t, "ben has the address Ben@Bank.example already", add("ben2", "Ben@Bank.example"))
	must(t, add("x", ""))
	must(t, add("y", "")) // no address is none that two have
	must(t, s.WithReason("has left").RevokePerson(ctx, "ben"))
	must(t, add("ben2", "ben@bank.example"))
}

// Nobody drops their own role of administrator: another takes it, so that there is
// always one.
func TestAdministratorKeepsTheRole(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	berta, _ := person(t, s, "berta", registry.Administrator)
	person(t, s, "cora", registry.Approver)
	refused(t, "nobody takes the role of administrator from themselves", s.SetRoles(ctx, "anna",
		[]registry.Role{registry.Operator}))
	refused(t, "has no role", s.SetRoles(ctx, "berta", nil))
	refused(t, `role "boss" is not known`, s.SetRoles(ctx, "berta", []registry.Role{"boss"}))
	if got := rolesOf(t, s, "anna"); len(got) != 3 {
		t.Errorf("anna has %v", got)
	}
	must(t, agreed(t, berta, func() error { // her own others
		return berta.SetRoles(ctx, "berta", []registry.Role{registry.Administrator, registry.Approver})
	}))
	must(t, agreed(t, s, func() error { return s.SetRoles(ctx, "berta", []registry.Role{registry.Approver}) }))
	if got := rolesOf(t, s, "berta"); len(got) != 1 || got[0] != registry.Approver {
		t.Errorf("berta has %v", got)
	}
}

func rolesOf(t *testing.T, s *registry.Session, id string) []registry.Role {
	t.Helper()
	var p registry.Person
	must(t, s.View(t.Context(), func(tx registry.Reader) (err error) {
		p, err = tx.Person(id)
		return err
	}))
	return p.Roles
}

// A new token lets somebody in again whose token was revoked; the old one stays
// worthless.
func TestRenewedToken(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	_, old := person(t, s, "ole", registry.Operator)
	must(t, s.WithReason("it is lost").RevokePerson(ctx, "ole"))
	refused(t, "the token of ole was revoked on", s.WithReason("once again").RevokePerson(ctx, "ole"))
	token, err := s.WithReason("found nobody who has it").RenewToken(ctx, "ole")
	must(t, err)
	if _, err := s.Registry().Login(ctx, old); !errors.Is(err, registry.ErrUnknownToken) {
		t.Errorf("the old token: %v", err)
	}
	ole, err := s.Registry().Login(ctx, token)
	must(t, err)
	if p := ole.Person(); p.ID != "ole" || !p.Revoked.IsZero() {
		t.Errorf("%+v", p)
	}
	acme(t, ole)
}

// What changed about a person since their login counts at their next
// change, not only at their next login.
func TestChangedSinceLogin(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	add := func(session *registry.Session, id string) error {
		return session.AddPartner(ctx, registry.Partner{ID: id, Name: "X", Profile: "riskos",
			Side: sealane.ServerSide})
	}
	for _, c := range []struct {
		name   string
		change func(id string) error
	}{
		{"roles", func(id string) error { return s.SetRoles(ctx, id, []registry.Role{registry.Auditor}) }},
		{"more-roles", func(id string) error {
			return agreed(t, s, func() error {
				return s.SetRoles(ctx, id, []registry.Role{registry.Operator, registry.Approver})
			})
		}},
		{"token", func(id string) error {
			return agreed(t, s, func() error { return third(s.RenewToken(ctx, id)) })
		}},
		{"revoked", func(id string) error { return s.WithReason("has left").RevokePerson(ctx, id) }},
	} {
		session, _ := person(t, s, c.name, registry.Operator)
		must(t, add(session, c.name+"-1"))
		must(t, c.change(c.name))
		if err := add(session, c.name+"-2"); !errors.Is(err, registry.ErrUnknownToken) &&
			!errors.Is(err, registry.ErrChangedSinceLogin) {
			t.Errorf("%s: %v", c.name, err)
		}
		must(t, s.View(ctx, func(tx registry.Reader) error {
			if _, err := tx.Partner(c.name + "-2"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: the partner is there: %v", c.name, err)
			}
			return nil
		}))
	}
}

// Only administrators whose token works count: the last of them can't be revoked.
func TestLastWorkingAdministrator(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	person(t, s, "berta", registry.Administrator)
	must(t, s.WithReason("has left").RevokePerson(ctx, "berta"))
	refused(t, "person anna is the last administrator", s.WithReason("she leaves").RevokePerson(ctx, "anna"))
	must(t, third(s.WithReason("is back").RenewToken(ctx, "berta")))
	must(t, s.WithReason("she leaves").RevokePerson(ctx, "anna"))
}
