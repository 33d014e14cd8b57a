package exchange_test

import (
	"slices"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// The contacts of a partner file are taken over when its certificate is approved, and not before:
// its sender would name those whom we call back.
func TestTakeContacts(t *testing.T) {
	a, b := newCompany(t, "sqlite:"+t.TempDir()+"/a.db"), newCompany(t, "sqlite:"+t.TempDir()+"/b.db")
	ctx := t.Context()
	a.partner("b", "riskos", sealane.ClientSide, "SANDBOX")
	b.partner("a", "riskos", sealane.ServerSide, "SANDBOX")
	pair, _ := a.pair("riskos", "b", "SANDBOX")
	named := []registry.Contact{
		{Role: registry.Primary, Email: "keys@a.example", Name: "Keys"},
		{Role: registry.Support, Email: "help@a.example"},
	}
	file, err := a.anna.Export(ctx, exchange.PartnerFileOptions{
		Target: pairWith(pair.ID, "b"), Name: "Company A", Contacts: named,
	})
	a.must(err)
	c, _, err := b.anna.Receive(ctx, exchange.Incoming{Partner: "a", Environment: "SANDBOX", Data: file})
	b.must(err)
	take := func(id string) error {
		_, _, err := b.anna.TakeContacts(ctx, id)
		return err
	}
	wantRefused(t, "received", "its sender is known when it is approved", take(c.ID))
	b.must(only(b.anna.MatchChecksum(ctx, checksumOf(c))))
	wantRefused(t, "matched", "its sender is known when it is approved", take(c.ID))
	b.must(b.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1", CallBack: called(c)}))
	lane, added, err := b.anna.TakeContacts(ctx, c.ID)
	if err != nil || lane.Partner != "a" || lane.Environment != "SANDBOX" || !slices.Equal(added, named) {
		t.Errorf("%+v: %+v, %v", lane, added, err)
	}
	b.must(b.Store.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment("a", "SANDBOX")
		for _, want := range named {
			if !slices.Contains(env.Contacts, want) {
				t.Errorf("%+v is not in %+v", want, env.Contacts)
			}
		}
		return err
	}))
	wantRefused(t, "again", "has these contacts already", take(c.ID))
	b.must(b.cora.WithReason("not the file that they meant").Reject(ctx, c.ID))
	wantRefused(t, "rejected", "take the contacts of one that is in use", take(c.ID))

	b.partner("d", "riskos", sealane.ServerSide, "SANDBOX")
	plain := b.letIn("d", "SANDBOX", made(t, fresh(t, "taken contacts"), signsToo), "")
	wantRefused(t, "a certificate alone", "without a partner file", take(plain.ID))
}
