package exchange_test

import (
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// A certificate of ours goes to the partner that it is for, and only while its key is
// in use.
func TestOfferedToAnother(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 1
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	h.partner("beta", "riskos", sealane.ServerSide, "PROD")
	h.partner("bank", "rdx", sealane.ServerSide, "PROD")
	own, _ := h.pair("riskos", "acme", "PROD")
	shared, _ := h.pair("riskos", "", "PROD")
	refuse := func(name, pair, partner, says string) {
		t.Helper()
		before := h.head().Seq
		_, err := h.anna.Offer(ctx, pairWith(pair, partner))
		wantRefused(t, "offer, "+name, says, err)
		_, err = h.anna.Export(ctx, exchange.PartnerFileOptions{Target: pairWith(pair, partner), Name: "Company"})
		wantRefused(t, "export, "+name, says, err)
		if h.head().Seq != before {
			t.Errorf("%s: something was recorded", name)
		}
	}
	refuse("another partner's", own.ID, "beta", "and not for beta")
	refuse("another dialect's", shared.ID, "bank", "and not for bank")
	h.must(h.Store.Update(ctx, func(tx registry.Tx) error {
		k, err := tx.KeyPair(own.ID)
		h.must(err)
		k.State = registry.Retired
		return tx.PutKeyPair(&k)
	}))
	refuse("a retired one", own.ID, "acme", "is retired; there is nothing to")
	for _, partner := range []string{"acme", "beta"} { // the shared one is for both
		_, err := h.anna.Offer(ctx, pairWith(shared.ID, partner))
		h.must(err)
		_, err = h.anna.Export(ctx, exchange.PartnerFileOptions{Target: pairWith(shared.ID, partner), Name: "Company"})
		h.must(err)
	}
}

// Where messages carry the key ID, a pair of ours without one is not put to use.
func TestConfirmedWithoutAKeyID(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("vcas", "rdx", sealane.ServerSide, "STAG")
	pair, _ := h.pair("rdx", "vcas", "STAG")
	_, err := h.anna.Offer(ctx, pairWith(pair.ID, "vcas"))
	h.must(err)
	wantRefused(t, "without", "has no key ID, and messages of rdx carry one", h.anna.MarkInstalled(ctx,
		pairWith(pair.ID, "vcas")))
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: pair.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	h.must(h.anna.MarkInstalled(ctx, pairWith(pair.ID, "vcas")))
}

// A message of traffic is no challenge: what it holds is not given out, though our key
// opens it.
func TestAnswerOpensNoTraffic(t *testing.T) {
	bank, vcas := newCompany(t, "sqlite:"+t.TempDir()+"/bank.db"), newCompany(t, "sqlite:"+t.TempDir()+"/vcas.db")
	ctx := t.Context()
	bank.partner("vcas", "rdx", sealane.ServerSide, "STAG")
	vcas.partner("bank", "rdx", sealane.ClientSide, "STAG")
	pair, certificate := bank.pair("rdx", "vcas", "STAG")
	in := vcas.letIn("bank", "STAG", certificate.DER, "")
	bank.must(bank.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: pair.ID, KeyID: in.KeyID}))
	const payload = `{"pan":"4000000000000002"}`
	message, err := vcas.lane("bank", "STAG").Seal(ctx, []byte(payload))
	vcas.must(err)
	for _, partner := range []string{"", "vcas"} {
		text, err := bank.anna.Answer(ctx, append([]byte(nil), message...), partner)
		wantRefused(t, "partner "+partner, "this is no challenge", err)
		if text != "" {
			t.Errorf("it gave %q", text)
		}
	}
	m, err := bank.lane("vcas", "STAG").OpenUnverified(ctx, message)
	if err != nil || string(m.Payload()) != payload {
		t.Errorf("the message is not for the bank: %v", err)
	}
}

// A pair that came in from elsewhere is at the partner already: nobody is asked to
// send its certificate.
func TestStatusOfAnImportedPair(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ClientSide, "PROD")
	key := fresh(t, "one")
	file, err := keyfile.Parse(made(t, key, signsToo))
	h.must(err)
	pair, _, err := h.anna.WithReason("the migration").ImportKeyPair(ctx, registry.NewPair{Profile: "riskos",
		Partner: "acme", Environment: "PROD"}, key, file.Certificates)
	h.must(err)
	next := func() string {
		t.Helper()
		steps, err := exchange.Status(ctx, h.viewer(), named("acme", "PROD"))
		h.must(err)
		if len(steps) != 1 || steps[0].KeyPair != pair.ID {
			t.Fatalf("steps: %+v", steps)
		}
		return steps[0].Next.Waits + ": " + steps[0].Next.Text
	}
	if got, want := next(), "acme: wait until the partner says that it is installed, and record that"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	h.must(h.anna.MarkInstalled(ctx, pairWith(pair.ID, "acme")))
	if got := next(); got != "nobody: nothing is left to do" {
		t.Error(got)
	}
}
