package registry_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
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
	must(t, s.AddEnvironment(ctx, environmentOf("other", "DEV")))
	_, _, err = x.Receive(ctx, exchange.Incoming{Partner: "other", Environment: "DEV", Data: leaf.Raw})
	refused(t, "[key-known]", err)
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
		p := registry.Person{ID: id, Email: address, Roles: []registry.Role{registry.Auditor}}
		return third(s.AddPerson(ctx, p))
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

// An alarm that is open stays, unless one that is certain follows one that is not.
func TestWhichAlarmStays(t *testing.T) {
	s, ctx := openSession(t).WithReason("a test of alarms"), t.Context()
	acme(t, s)
	secondPartner(t, s)
	var sum []byte
	must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "some"},
		func(tx registry.Tx, _ *registry.Entry) error {
			c := certificateIn(registry.Active)
			c.Partner, sum = "acme", c.SPKISHA256
			return tx.PutCertificate(&c)
		}))
	doubt := func() {
		leaked := registry.LeakedKey{Partner: "acme", Environment: "PROD", SPKISHA256: [][]byte{sum}}
		must(t, only(s.RecordLeak(ctx, leaked)))
	}
	certain := func(from string) {
		must(t, only(s.RecordWeakKey(ctx, registry.WeakKey{Partner: from, Environment: "PROD", SPKISHA256: sum,
			Found: cert.Finding{Found: "weak, says " + from}})))
	}
	want := func(from string, certain bool) {
		t.Helper()
		must(t, s.View(ctx, func(tx registry.Reader) error {
			c, err := tx.Certificate("c-active")
			if a := c.Alarm; a == nil || a.Certain != certain || !strings.Contains(a.What, from) {
				t.Errorf("%+v, want one of %q, certain %t", a, from, certain)
			}
			return err
		}))
	}
	doubt()
	want("nobody can see whose it is", false)
	certain("acme")
	want("says acme", true)
	certain("other")
	want("says acme", true)
	doubt()
	want("says acme", true)
}

// A pair of ours that is the last one a partner can use stays; a staged one does not count, and one
// that is retiring does.
func TestLastPairOfAPartner(t *testing.T) {
	s, ctx := openSession(t).WithReason("a test of ends"), t.Context()
	acme(t, s)
	n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject, Renewal: true}
	pair := func(active bool) string {
		k, _, err := s.CreateKeyPair(ctx, n)
		must(t, err)
		if active {
			must(t, s.MovePair(ctx, k.ID, registry.Active, false))
		}
		return k.ID
	}
	retire := func(id string) error { return s.MovePair(ctx, id, registry.Retired, false) }
	first, second, third := pair(true), pair(true), pair(true)
	refused(t, "is in use: activate its renewal first", retire(third))
	must(t, s.MovePair(ctx, third, registry.Compromised, false))
	must(t, retire(first)) // the second is left
	pair(false)
	refused(t, "is the last that acme can use", retire(second))
	must(t, s.MovePair(ctx, second, registry.Retired, true))
}

// A private key that does not belong to its public key is not used.
func TestPrivateKeyOfAnother(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD",
		Subject: subject})
	must(t, err)
	must(t, s.View(ctx, func(tx registry.Reader) (err error) {
		k, err = tx.KeyPair(k.ID)
		return err
	}))
	must(t, s.Usable(k))
	x := registry.KeyPairExport{KeyPair: k.ID, Format: "pkcs8", Passphrase: []byte("just 14 bytes!")}
	must(t, only(exported(ctx, s.WithReason("it moves elsewhere"), x)))
	other := k
	other.SPKI = append([]byte(nil), k.SPKI...)
	other.SPKI[len(other.SPKI)-8] ^= 1
	refused(t, "does not belong to its public key", s.Usable(other))
	for name, change := range map[string]func(*registry.KeyPair){
		"partner":     func(k *registry.KeyPair) { k.Partner = "other" },
		"environment": func(k *registry.KeyPair) { k.Environment = "DEV" },
		"identity":    func(k *registry.KeyPair) { k.ID = "k-other" },
		"sealing":     func(k *registry.KeyPair) { k.SealedAs++ },
	} {
		other := k
		change(&other)
		if s.Usable(other) == nil {
			t.Errorf("it is used with another %s", name)
		}
	}
}

// A record says which lanes a serving program reads again.
func TestLanesOfARecord(t *testing.T) {
	const a, none, all, shared, profiles = "a", "", "all", "shared", "profiles"
	for row, want := range map[string]string{
		`"partner/a":{}`: a, `"environment/a/PROD":null`: a, `"offer/k-1/a":{}`: a, `"apikey/a-1":{"partner":"a"}`: a,
		`"key/k-1":{"partner":"a"}`: a, `"certificate/c-1":{"partner":"a"}`: a, `"key/k-1":{}`: shared,
		`"certificate/c-1":{}`: shared, `"key/k-1":null`: all, `"profile/ours":{}`: profiles,
		`"setting/api-key-hash":{}`: all, `"setting/anchors":{}`: none, `"blocked/00":{}`: none,
		`"person/anna":{}`: none, `"request/r-1":{}`: none, `"something/else":{}`: all,
	} {
		c := registry.LaneChanges(audit.Record{Seq: 1, Action: "key.create", Partner: "other",
			After: []byte(`{"rows":{` + row + `}}`)})
		got := strings.Join(c.Partners, " ")
		for name, is := range map[string]bool{all: c.All, shared: c.Shared, profiles: c.Profiles} {
			if is {
				got += name
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
	if c := registry.LaneChanges(audit.Record{Seq: 1, Action: string(registry.ActionNodeRemove)}); c.All {
		t.Errorf("the removal of a node: %+v", c)
	}
}

// A key whose block was lifted can be blocked again; what is blocked keeps its first reason.
func TestBlockedAgain(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	sum := digestOf("a key")
	block := func(why string) { must(t, only(s.WithReason(why).BlockKeys(ctx, [][]byte{sum}))) }
	want := func(reason string, lifted bool) {
		t.Helper()
		must(t, s.View(ctx, func(tx registry.Reader) error {
			b, err := tx.Blocked(sum)
			if b.Reason != reason || b.Lifted.IsZero() == lifted {
				t.Errorf("%+v, want %q, lifted %t", b, reason, lifted)
			}
			return err
		}))
	}
	block("the first reason")
	block("the second reason")
	want("the first reason", false)
	must(t, s.WithReason("it was the wrong key").UnblockKey(ctx, sum))
	want("the first reason", true)
	block("the third reason")
	want("the third reason", false)
}

// An API key accepts unencrypted messages only where its dialect can.
func TestOptionalKeyOfADialect(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	must(t, s.AddPartner(ctx, registry.Partner{ID: "vcas", Name: "V", Profile: "rdx", Side: sealane.ServerSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "vcas", Name: "STAG",
		Sealing: sealane.SealingRequired, SenderAuth: sealane.SenderMutualTLS}))
	wanted := registry.NewAPIKey{Partner: "vcas", Environment: "STAG", Sealing: sealane.SealingOptional}
	refused(t, "sealing cannot be optional", second(s.IssueAPIKey(ctx, wanted)))
	wanted.Sealing = sealane.SealingRequired
	must(t, second(s.IssueAPIKey(ctx, wanted)))
}
