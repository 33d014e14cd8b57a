package exchange_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// What is loosened is said, and one person is enough only where it is no production.
func TestLoosened(t *testing.T) {
	for _, c := range []struct {
		env  registry.Environment
		want string
	}{
		{registry.Environment{Name: "DEV", Approvals: 1}, ""},
		{registry.Environment{Name: "PROD"}, ""},
		{registry.Environment{Name: "PROD", Approvals: 2}, ""},
		{registry.Environment{Name: "PROD", Approvals: 1}, "approvals: one person alone"},
		{registry.Environment{Name: "DEV", Sealing: sealane.SealingOptional}, "sealing: unencrypted messages"},
		{registry.Environment{Name: "DEV", SenderAuth: sealane.SenderUnauthenticated}, "caller: the sender"},
		{registry.Environment{Name: "DEV", AcceptRSAOAEP: "an old HSM"},
			"OAEP with SHA-1: accepted, because an old HSM"},
		{rotating("DEV", registry.Rotation{Lead: 59}), ""},
		{rotating("PROD", registry.Rotation{Lead: 60, Overlap: 90, Quiet: 14, Retire: registry.RetireNever}), ""},
		{rotating("PROD", registry.Rotation{Lead: 59}), "lead: a successor is due 59 days before the end"},
		{rotating("DEV", registry.Rotation{Overlap: 89}), "overlap: the old key counts for 89 days"},
		{rotating("DEV", registry.Rotation{Quiet: 13}), "quiet: a key may be retired after 13 days"},
		{rotating("DEV", registry.Rotation{Retire: registry.RetireDo}), "retire: keys that another has followed"},
	} {
		got := strings.Join(exchange.Loosened(c.env), "; ")
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.env, got, c.want)
		}
	}
}

func rotating(environment string, r registry.Rotation) registry.Environment {
	return registry.Environment{Name: environment, Rotation: r}
}

// A partner that is taken to hold more certificates than its profile says is said.
func TestPreflightOfSlots(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "DEV")
	h.partner("vcas", "rdx", sealane.ClientSide, "STAG")
	for _, c := range []struct {
		partner, environment string
		slots                int
		want                 cert.Level
	}{
		{"acme", "DEV", 0, ""}, {"acme", "DEV", 1, ""}, {"acme", "DEV", 2, cert.Warning},
		{"vcas", "STAG", 2, ""}, {"vcas", "STAG", 1, ""},
	} {
		h.must(h.anna.ChangeEnvironment(t.Context(), registry.Environment{Partner: c.partner, Name: c.environment},
			func(e *registry.Environment) error { e.Rotation.Slots = c.slots; return nil }))
		if level, _ := h.checked(c.partner, c.environment, "slots"); level != c.want {
			t.Errorf("%s with %d slots: %q, want %q", c.partner, c.slots, level, c.want)
		}
	}
}

// An API key that accepts what its environment refuses is said, until it is revoked.
func TestPreflightOfALooseAPIKey(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "DEV")
	level := func(id string) cert.Level {
		level, _ := h.checked("acme", "DEV", "API key "+id)
		return level
	}
	for sealing, want := range map[sealane.Sealing]cert.Level{
		sealane.SealingRequired: "", sealane.SealingOptional: cert.Warning,
	} {
		k, _, err := h.anna.IssueAPIKey(t.Context(), registry.NewAPIKey{Partner: "acme", Environment: "DEV",
			Sealing: sealing})
		h.must(err)
		if got := level(k.ID); got != want {
			t.Errorf("%s: %q, want %q", sealing, got, want)
		}
		h.must(h.anna.WithReason("it was a trial").RevokeAPIKey(t.Context(), k.ID))
		if got := level(k.ID); got != "" {
			t.Errorf("%s, revoked: %q", sealing, got)
		}
	}
}

// A pair that is retiring is enough to open messages, but not to sign them.
func TestPreflightOfARetiringPair(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	const keyID = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"
	for partner, c := range map[string]struct {
		profile string
		want    cert.Level
	}{"signed": {"riskos", cert.Refused}, "plain": {"rdx", cert.Warning}} {
		h.partner(partner, c.profile, sealane.ServerSide, "PROD")
		var made []registry.KeyPair
		for range 2 {
			k, _, err := h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: c.profile, Partner: partner,
				Environment: "PROD", Bits: 2048, Subject: subject, Renewal: len(made) > 0})
			h.must(err)
			if c.profile == "rdx" {
				level, _ := h.checked(partner, "PROD", "our key ID (alias)")
				if len(made) == 0 && level != cert.Refused {
					t.Errorf("without an alias: %q", level)
				}
				h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: k.ID, KeyID: keyID}))
			}
			_, err = h.anna.Offer(ctx, pairWith(k.ID, partner))
			h.must(err)
			h.must(h.anna.MarkInstalled(ctx, pairWith(k.ID, partner)))
			made = append(made, k)
		}
		h.must(h.anna.WithReason("it leaked").Revoke(ctx, made[1].ID))
		if level, _ := h.checked(partner, "PROD", "our key pair"); level != c.want {
			t.Errorf("%s: %q, want %q", partner, level, c.want)
		}
	}
}

// A certificate is used from its beginning to its end, both of which count.
func TestTimesOfUse(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c := h.letIn("acme", "STAG", made(t, fresh(t, "times of use")), "")
	h.must(h.anna.WithReason("it was replaced").Retire(t.Context(), c.ID, true))
	for _, one := range []struct {
		at   time.Time
		says string
	}{
		{c.NotBefore, ""}, {c.NotAfter, ""},
		{c.NotBefore.Add(-time.Second), "is valid from"}, {c.NotAfter.Add(time.Second), "has expired on"},
	} {
		h.now = one.at
		next := h.usedNow(t, one.says)
		if one.says == "" {
			h.must(h.anna.WithReason("it was replaced").Retire(t.Context(), next.ID, true))
		}
	}
}

// usedNow tries to use a new certificate now, and fails the test unless that says something.
func (h *company) usedNow(t *testing.T, says string) registry.Certificate {
	t.Helper()
	now := h.now
	h.now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, fmt.Sprint("at ", now.Unix())))})
	h.must(err)
	h.must(only(h.anna.MatchChecksum(t.Context(), checksumOf(c))))
	h.must(h.cora.Approve(t.Context(), c.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	h.now = now
	if err := h.anna.Activate(t.Context(), c.ID); says != "" {
		wantRefused(t, now.String(), says, err)
	} else {
		h.must(err)
	}
	return c
}

// The oldest certificate that is retiring is the one to retire, by its end.
func TestOldestToRetire(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	ends := func(month time.Month) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = time.Date(2028, month, 1, 0, 0, 0, 0, time.UTC) }
	}
	var in []registry.Certificate
	for i, month := range []time.Month{6, 8, 9, 10} { // the last one is active
		in = append(in, h.letIn("acme", "STAG", made(t, fresh(t, fmt.Sprint("oldest ", i)), ends(month)), ""))
	}
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "oldest 4"))})
	h.must(err)
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID, KeyID: in[0].KeyID}))
	err = h.anna.Activate(ctx, c.ID)
	if a := registry.AdviceIn(err); a.ID != in[0].ID {
		t.Errorf("%s is to be retired, want %s: %v", a.ID, in[0].ID, err)
	}
}

// The last certificate that can be used stays, unless another can, too: one that has expired can't.
func TestLastToRetire(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	short := func(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(-time.Hour) }
	first := h.letIn("acme", "STAG", made(t, fresh(t, "last to retire 1")), "")
	second := h.letIn("acme", "STAG", made(t, fresh(t, "last to retire 2"), short), "")
	third := h.letIn("acme", "STAG", made(t, fresh(t, "last to retire 3")), "")
	h.must(h.anna.WithReason("it leaked").Revoke(t.Context(), third.ID))
	retire := func() error { return h.anna.WithReason("it was replaced").End(t.Context(), dropped(first.ID)) }
	staged, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "last to retire 4"))})
	h.must(err)
	h.must(only(h.anna.MatchChecksum(t.Context(), checksumOf(staged))))
	h.must(h.cora.Approve(t.Context(), staged.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: staged.ID, KeyID: first.KeyID}))
	h.must(h.anna.Stage(t.Context(), staged.ID))
	h.now = second.NotAfter.Add(time.Second)
	wantRefused(t, "the other has expired", "is the last that acme can use", retire())
	h.now = second.NotAfter
	h.must(retire())
}

// A retired certificate comes back up to thirty days later.
func TestReturnAtTheLastMoment(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	c := h.letIn("acme", "PROD", made(t, fresh(t, "last moment"), signsToo), "")
	for late, back := range map[time.Duration]bool{0: true, time.Second: false} {
		h.must(h.anna.WithReason("it was replaced").Retire(t.Context(), c.ID, true))
		h.now = h.now.Add(30*24*time.Hour + late)
		if !back {
			h.notUndone(t, c.ID, "", "more than 30 days ago")
			h.now = h.now.Add(-late)
		}
		h.undone(c.ID, "", registry.Retiring)
	}
}

// A migration names its certificates, and a record of the other system.
func TestMigrationsRefused(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	dora, eve := h.member("dora", registry.Operator, registry.Approver), h.member("eve", registry.Approver,
		registry.Operator)
	m := h.tableOf(dora, "p1", "p3")
	const record = "0123456789"
	wantRefused(t, "none", "no certificate is waiting", h.anna.Migrate(ctx, exchange.Migration{Record: record}))
	many := exchange.Migration{Record: record, Certificates: make([]string, exchange.MaxMigrated+1)}
	wantRefused(t, "too many", "too many for one migration", h.anna.Migrate(ctx, many))
	many.Certificates = many.Certificates[1:]
	wantRefused(t, "as many as possible", "not found", h.anna.Migrate(ctx, many))
	m.Record = record[1:] + " "
	wantRefused(t, "a short record", "say which record", h.anna.Migrate(ctx, m))
	m.Record = record
	wantRefused(t, "by who received it", "dora has received or matched", migrate(h.anna, dora, m))
	h.must(only(eve.MatchChecksum(ctx, checksumOf(h.certificate(m.Certificates[0])))))
	wantRefused(t, "by who matched it", "eve has received or matched", migrate(h.anna, eve, m))
	h.must(h.Store.View(ctx, func(tx registry.Reader) error {
		for name, change := range map[string]func(*registry.Provenance){
			"did not come in with a table": func(p *registry.Provenance) { p.Imported = false },
			"has waivers or mismatches": func(p *registry.Provenance) {
				p.Waivers = []registry.Waiver{{Rule: "a"}}
			},
			"has waivers or mismatches: ap": func(p *registry.Provenance) {
				p.Mismatches = []registry.Mismatch{{What: "checksum 00"}}
			},
		} {
			c := h.certificate(m.Certificates[1])
			change(&c.Provenance)
			wantRefused(t, name, name, exchange.MayMigrate(tx, c))
		}
		return exchange.MayMigrate(tx, h.certificate(m.Certificates[1]))
	}))
	h.must(only(h.anna.WithReason("seen elsewhere").BlockKeys(ctx,
		[][]byte{h.certificate(m.Certificates[1]).Provenance.FileSHA256})))
	m.Certificates = m.Certificates[1:]
	if err := migrate(h.anna, h.cora, m); err == nil {
		t.Error("a blocked certificate is approved")
	}
	// One that was never approved does not make its lane one that was in use.
	h.partner("p5", "rdx", sealane.ClientSide, "PROD")
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "p5", Environment: "PROD",
		Data: made(t, fresh(t, "before migration"))})
	h.must(err)
	h.must(only(h.anna.WithReason("seen elsewhere").BlockKeys(ctx, [][]byte{c.SPKISHA256})))
	m = h.tableOf(h.anna, "p5")
	m.Record = record
	h.must(migrate(h.anna, h.cora, m))
}

// A partner file is no larger than a few certificates, and names ten contacts at most.
func TestManyContactsOfAFile(t *testing.T) {
	a, b := newCompany(t, "sqlite:"+t.TempDir()+"/a.db"), newCompany(t, "sqlite:"+t.TempDir()+"/b.db")
	ctx := t.Context()
	a.partner("b", "riskos", sealane.ClientSide, "DEV")
	b.partner("a", "riskos", sealane.ServerSide, "DEV")
	for n, says := range map[int]string{10: "", 11: "names 11 contacts, more than 10"} {
		pair, _, err := a.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "b", Environment: "DEV",
			Bits: 2048, Subject: subject})
		a.must(err)
		var contacts []registry.Contact
		for i := range n {
			contacts = append(contacts, registry.Contact{Role: registry.Support,
				Email: fmt.Sprintf("c%d-%d@a.example", n, i)})
		}
		file, err := a.anna.Export(ctx, exchange.PartnerFileOptions{Target: pairWith(pair.ID, "b"), Name: "A",
			Contacts: contacts})
		a.must(err)
		a.must(a.anna.WithReason("only a trial").Retire(ctx, pair.ID, true))
		c, _, err := b.anna.Receive(ctx, exchange.Incoming{Partner: "a", Environment: "DEV", Data: file})
		b.must(err)
		b.must(only(b.anna.MatchChecksum(ctx, checksumOf(c))))
		b.must(b.cora.Approve(ctx, c.ID, exchange.Approval{}))
		_, added, err := b.anna.TakeContacts(ctx, c.ID)
		if says != "" {
			wantRefused(t, "too many", says, err)
		} else if b.must(err); len(added) != n {
			t.Errorf("%d contacts", len(added))
		}
	}
	_, _, err := exchange.ReadPartnerFile(make([]byte, 256<<10+1))
	wantRefused(t, "a large file", "more than 262144", err)
}

// An alarm about what has ended is not dismissed, and an offer is withdrawn for whom it is.
func TestEndedAlarmAndOtherOffer(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	h.partner("other", "riskos", sealane.ServerSide, "PROD")
	pair, c := h.pair("riskos", "acme", "PROD")
	wantRefused(t, "an offer to another", "and not for other", h.anna.WithReason("a slip").Withdraw(ctx,
		pairWith(pair.ID, "other")))
	h.must(only(h.anna.Session.RecordWeakKey(ctx, registry.WeakKey{Partner: "other", Environment: "PROD",
		SPKISHA256: c.SPKISHA256, Found: cert.Finding{Code: "shared-factor", Found: "a prime in common"}})))
	if a := h.alarmOf("acme", "PROD", pair.ID); a == nil || !a.Certain {
		t.Fatalf("%+v", a)
	}
	h.must(h.anna.WithReason("it leaked").Revoke(ctx, pair.ID))
	wantRefused(t, "ended", "there is no open alarm about key pair",
		h.cora.WithReason("a false alarm").Dismiss(ctx, pair.ID))
}

// Of many wrong checksums the last ones are kept.
func TestManyMismatches(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "many mismatches"))})
	h.must(err)
	for i := range registry.MaxMismatches + 2 {
		sum := fmt.Sprintf("%064x", i+1)
		_, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID, Checksum: sum})
		wantRefused(t, sum, "does not match", err)
	}
	kept := h.certificate(c.ID).Provenance.Mismatches
	if len(kept) != registry.MaxMismatches || !strings.HasSuffix(kept[0].What, fmt.Sprintf("%064x", 3)) {
		t.Errorf("%d are kept, the first is %q", len(kept), kept[0].What)
	}
}

// A certificate is active until its end; then it is retired as one that has expired.
func TestRetiredAtItsEnd(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c := h.letIn("acme", "STAG", made(t, fresh(t, "retired at its end")), "")
	retire := func() error { return h.anna.WithReason("it is old").Retire(t.Context(), c.ID, false) }
	h.now = c.NotAfter
	wantRefused(t, "at its end", "is in use", retire())
	h.now = c.NotAfter.Add(time.Second)
	h.must(retire())
	if state := h.certificate(c.ID).State; state != registry.Expired {
		t.Errorf("it is %s", state)
	}
}
