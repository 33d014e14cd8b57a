package registry_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// A key that another partner had and that was approved there, or that was compromised there, is
// known, though it was rejected.
func TestKeysOfOthersStayKnown(t *testing.T) {
	s, ctx := openSession(t).WithReason("CHG-1, agreed"), t.Context()
	acme(t, s)
	secondPartner(t, s)
	x := exchange.New(s)
	leaf, _ := issued(t, testkey.RSA(t, "known at another", 2048).Public(), nil)
	receive := func(partner string) (registry.Certificate, error) {
		c, _, err := x.Receive(ctx, exchange.Incoming{Partner: partner, Environment: "PROD", Data: leaf.Raw})
		return c, err
	}
	c, err := receive("other")
	must(t, err)
	must(t, only(s.BlockKeys(ctx, [][]byte{c.SPKISHA256}))) // it is compromised now
	must(t, s.UnblockKey(ctx, c.SPKISHA256))
	refused(t, "[key-known]", only(receive("acme")))
	c, err = receive("other") // where it was, it may come again
	must(t, err)
	must(t, s.Change(ctx, registry.Entry{Action: registry.ActionExchangeApprove, Subject: "certificate/" + c.ID},
		func(tx registry.Tx, _ *registry.Entry) error {
			c, err := tx.Certificate(c.ID)
			must(t, err)
			c.Provenance.ApprovedBy = "anna"
			return s.MoveCertificate(tx, &c, registry.Rejected)
		}))
	refused(t, "[key-known]", only(receive("acme")))
	must(t, only(receive("other")))
}

// The inventory says what was waived, and which row has no profile.
func TestInventoryOfWaiversAndDamage(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "some"},
		func(tx registry.Tx, _ *registry.Entry) error {
			waived, gone := certificateIn(registry.Active), certificateIn(registry.Retired)
			waived.ID, gone.ID, gone.Profile = "c-waived", "c-gone", "no-such-dialect"
			waived.Partner, gone.Partner = "acme", "acme"
			waived.Provenance.Waivers = []registry.Waiver{
				{Rule: "validity", Reason: "until June"}, {Rule: "issuer", Reason: "theirs is private"},
			}
			for _, c := range []*registry.Certificate{&waived, &gone} {
				c.SPKI = []byte(c.ID)
				sum := sha256.Sum256(c.SPKI)
				c.SPKISHA256 = sum[:]
				must(t, tx.PutCertificate(c))
			}
			return nil
		}))
	rows := map[string]registry.InventoryRow{}
	for row, err := range s.Registry().Inventory(ctx, registry.CertificateQuery{}) {
		must(t, err)
		rows[row.ID] = row
	}
	if got := rows["c-waived"]; got.Waived != "validity: until June; issuer: theirs is private" || got.Damaged != "" {
		t.Errorf("%+v", got)
	}
	if got := rows["c-gone"]; !strings.Contains(got.Damaged, "no-such-dialect") || got.Partner != "" {
		t.Errorf("%+v", got)
	}
}

// A damaged key of API keys is not replaced by the one that was opened before it was damaged.
func TestDamagedHashKey(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	wanted := registry.NewAPIKey{Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired}
	k, _, err := s.IssueAPIKey(ctx, wanted)
	must(t, err)
	must(t, s.WithReason("it is lost").RevokeAPIKey(ctx, k.ID))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		row, err := tx.APIKey(k.ID)
		if len(row.Binding) != 0 || len(row.HMAC) == 0 {
			t.Errorf("a revoked API key: binding %x", row.Binding)
		}
		return err
	}))
	must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "some"},
		func(tx registry.Tx, _ *registry.Entry) error {
			sealed, err := tx.Setting(registry.SettingHashKey)
			must(t, err)
			sealed[len(sealed)-1] ^= 1
			return tx.PutSetting(registry.SettingHashKey, sealed)
		}))
	if _, _, err := s.IssueAPIKey(ctx, wanted); err == nil {
		t.Error("an API key is issued with a damaged key")
	}
}

// A new token is refused where somebody else has the address by now.
func TestRenewedTokenOfATakenAddress(t *testing.T) {
	s, ctx := openSession(t).WithReason("has left, and is back"), t.Context()
	add := func(id, address string) error {
		return third(s.AddPerson(ctx, registry.Person{ID: id, Email: address, Roles: []registry.Role{registry.Auditor}}))
	}
	must(t, add("ole", "keys@bank.example"))
	refused(t, "one person, one token", add("eve", "KEYS@bank.example"))
	must(t, third(s.RenewToken(ctx, "ole"))) // their own
	must(t, s.RevokePerson(ctx, "ole"))
	must(t, add("eve", "KEYS@bank.example"))
	refused(t, "eve has the address keys@bank.example already", third(s.RenewToken(ctx, "ole")))
	must(t, add("nobody", ""))
	must(t, add("no-one", ""))
}

// What was used can't be removed, though it has ended; what is of another environment does not
// count.
func TestUsedEnvironmentIsNotRemoved(t *testing.T) {
	s, ctx := openSession(t).WithReason("a typo in its name"), t.Context()
	acme(t, s)
	must(t, s.AddEnvironment(ctx, environmentOf("acme", "DEV")))
	k, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingRequired})
	must(t, err)
	must(t, s.RevokeAPIKey(ctx, k.ID))
	production := lanes.Name{Partner: "acme", Environment: "PROD"}
	refused(t, "API key "+k.ID+" is of it", s.RemoveEnvironment(ctx, production))
	pair, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	must(t, exchange.New(s).Offer(ctx, exchange.Target{KeyPair: pair.ID, Partner: "acme"},
		func(exchange.OfferPackage) error { return nil }))
	must(t, s.RemoveEnvironment(ctx, lanes.Name{Partner: "acme", Environment: "DEV"}))
	refused(t, "API key "+k.ID+" is of it", s.RemovePartner(ctx, "acme"))
}

// A dialect is not removed while a key pair is of it, and keeps the environments that its partners
// have.
func TestDialectInUse(t *testing.T) {
	s, ctx := openSession(t).WithReason("CHG-1, agreed"), t.Context()
	acme(t, s)
	source := ownDialect(t, "ours")
	must(t, only(s.AddProfile(ctx, source)))
	pair := registry.NewPair{Profile: "ours", Environment: "PROD", Subject: subject}
	k, _, err := s.CreateKeyPair(ctx, pair)
	must(t, err)
	refused(t, "profile ours is that of key pair "+k.ID, s.RemoveProfile(ctx, "ours"))
	p := registry.Partner{ID: "b", Name: "B", Profile: "ours", Side: sealane.ServerSide}
	must(t, s.AddPartner(ctx, p))
	must(t, s.AddEnvironment(ctx, environmentOf("b", "DEV")))
	refused(t, "profile ours is that of partner b", s.RemoveProfile(ctx, "ours"))
	if !strings.Contains(string(source), "DEV") {
		t.Fatalf("%s", source)
	}
	without := strings.Replace(string(source), "DEV, ", "", 1)
	refused(t, "lacks environment DEV, which partner b has", s.ChangeProfile(ctx, "ours", []byte(without)))
	refused(t, "has these rules already", s.ChangeProfile(ctx, "ours", source))
	must(t, s.ChangeProfile(ctx, "ours", append(source, "# a remark\n"...)))
}

// Anchors whose setting is damaged are not replaced by one person.
func TestDamagedAnchors(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	must(t, b.Change(ctx, registry.Entry{Action: registry.ActionAuditAnchor, Subject: "some"},
		func(tx registry.Tx, _ *registry.Entry) error { return tx.PutSetting("anchors", []byte("{")) }))
	asksSecond(t, "anchors that can't be read", b.WithReason("CHG-1, agreed").SetAnchors(ctx, nil))
	if _, err := b.Registry().Anchors(ctx); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("%v", err)
	}
}
