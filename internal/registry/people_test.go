package registry_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// person adds somebody, and gives their desk and token.
func person(t *testing.T, d *registry.Desk, id string, roles ...registry.Role) (*registry.Desk, string) {
	t.Helper()
	token, err := d.AddPerson(t.Context(), registry.Person{ID: id, Roles: roles}, "")
	must(t, err)
	own, err := d.Login(t.Context(), token)
	must(t, err)
	return own, token
}

// Two tokens for one address would be two people who are one. An address is free again
// when its owner's token is revoked.
func TestOneTokenForOneAddress(t *testing.T) {
	d, ctx := desk(t), t.Context()
	add := func(id, email string) error {
		return third(d.AddPerson(ctx, registry.Person{ID: id, Email: email, Roles: []registry.Role{registry.Approver}}, ""))
	}
	must(t, add("ben", "ben@bank.example"))
	must(t, add("bea", "bea@bank.example"))
	refused(t, "ben has the address ben@bank.example already: one person, one token", add("ben2", "ben@bank.example"))
	refused(t, "ben has the address Ben@Bank.example already", add("ben2", "Ben@Bank.example"))
	must(t, add("x", ""))
	must(t, add("y", "")) // no address is none that two have
	must(t, d.RevokePerson(ctx, "ben", "has left"))
	must(t, add("ben2", "ben@bank.example"))
}

// Nobody drops their own role of administrator: another takes it, so that there is
// always one.
func TestAdministratorKeepsTheRole(t *testing.T) {
	d, ctx := desk(t), t.Context()
	berta, _ := person(t, d, "berta", registry.Administrator)
	refused(t, "nobody takes the role of administrator from themselves", d.SetRoles(ctx, "anna", []registry.Role{registry.Operator}, ""))
	refused(t, "has no role", d.SetRoles(ctx, "berta", nil, ""))
	refused(t, `role "boss" is not known`, d.SetRoles(ctx, "berta", []registry.Role{"boss"}, ""))
	if got := rolesOf(t, d, "anna"); len(got) != 3 {
		t.Errorf("anna has %v", got)
	}
	must(t, berta.SetRoles(ctx, "berta", []registry.Role{registry.Administrator, registry.Approver}, "")) // her own others
	must(t, d.SetRoles(ctx, "berta", []registry.Role{registry.Approver}, ""))
	if got := rolesOf(t, d, "berta"); len(got) != 1 || got[0] != registry.Approver {
		t.Errorf("berta has %v", got)
	}
}

func rolesOf(t *testing.T, d *registry.Desk, id string) []registry.Role {
	t.Helper()
	var p registry.Person
	must(t, d.Store.View(t.Context(), func(tx registry.Tx) (err error) {
		p, err = tx.Person(id)
		return err
	}))
	return p.Roles
}

// A new token lets somebody in again whose token was revoked; the old one stays
// worthless.
func TestRenewedToken(t *testing.T) {
	d, ctx := desk(t), t.Context()
	_, old := person(t, d, "ole", registry.Operator)
	must(t, d.RevokePerson(ctx, "ole", "lost"))
	refused(t, "the token of ole was revoked on", d.RevokePerson(ctx, "ole", "again"))
	token, err := d.RenewToken(ctx, "ole", "found nobody who has it")
	must(t, err)
	if _, err := d.Login(ctx, old); !errors.Is(err, registry.ErrUnknownToken) {
		t.Errorf("the old token: %v", err)
	}
	ole, err := d.Login(ctx, token)
	must(t, err)
	if p := ole.Person(); p.ID != "ole" || !p.Revoked.IsZero() {
		t.Errorf("%+v", p)
	}
	acme(t, ole)
}

// What changed about a person since they came to their desk counts at their next
// change, and not at their next login.
func TestChangedSinceLogin(t *testing.T) {
	d, ctx := desk(t), t.Context()
	add := func(desk *registry.Desk, id string) error {
		return desk.AddPartner(ctx, registry.Partner{ID: id, Name: "X", Profile: "riskos", Side: sealane.ServerSide}, "")
	}
	for _, c := range []struct {
		name   string
		change func(id string) error
	}{
		{"roles", func(id string) error { return d.SetRoles(ctx, id, []registry.Role{registry.Auditor}, "") }},
		{"more-roles", func(id string) error {
			return d.SetRoles(ctx, id, []registry.Role{registry.Operator, registry.Approver}, "")
		}},
		{"token", func(id string) error { return third(d.RenewToken(ctx, id, "")) }},
		{"revoked", func(id string) error { return d.RevokePerson(ctx, id, "has left") }},
	} {
		desk, _ := person(t, d, c.name, registry.Operator)
		must(t, add(desk, c.name+"-1"))
		must(t, c.change(c.name))
		if err := add(desk, c.name+"-2"); !errors.Is(err, registry.ErrUnknownToken) {
			t.Errorf("%s: %v", c.name, err)
		}
		must(t, d.Store.View(ctx, func(tx registry.Tx) error {
			if _, err := tx.Partner(c.name + "-2"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: the partner is there: %v", c.name, err)
			}
			return nil
		}))
	}
}

// Only administrators whose token works count: the last of them can't be revoked.
func TestLastWorkingAdministrator(t *testing.T) {
	d, ctx := desk(t), t.Context()
	person(t, d, "berta", registry.Administrator)
	must(t, d.RevokePerson(ctx, "berta", "has left"))
	refused(t, "person anna is the last administrator", d.RevokePerson(ctx, "anna", "leaves"))
	must(t, third(d.RenewToken(ctx, "berta", "is back")))
	must(t, d.RevokePerson(ctx, "anna", "leaves"))
}
