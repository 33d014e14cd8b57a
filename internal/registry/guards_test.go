package registry_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
)

// Names of partners have 1 to 64 characters, and begin with a letter or digit.
func TestNamesOfPartners(t *testing.T) {
	s := openSession(t)
	for name, says := range map[string]string{
		strings.Repeat("a", 64): "", strings.Repeat("a", 65): "1 to 64", "": "1 to 64", "-a": "small letters",
		"a-": "", "0": "", "ä": "small letters", "a_b": "small letters",
	} {
		err := s.AddPartner(t.Context(), registry.Partner{ID: name, Name: "A", Profile: "riskos",
			Side: sealane.ServerSide})
		if says == "" {
			must(t, err)
		} else {
			refused(t, says, err)
		}
	}
	refused(t, "has no name", s.RenamePartner(t.Context(), "0", " \t"))
}

// An imported API key has 512 characters at most and 8 different ones at least, and does not repeat
// itself.
func TestBoundsOfImportedAPIKeys(t *testing.T) {
	s := openSession(t)
	acme(t, s)
	wanted := registry.NewAPIKey{Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired}
	of := func(n int, alphabet string) string {
		r, text := rand.New(rand.NewPCG(1, uint64(n))), make([]byte, n)
		for i := range text {
			text[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(text)
	}
	const many = "abcdefghijklmnopqrstuvwxyz0123456789"
	for key, says := range map[string]string{
		of(512, many): "", of(513, many): "513 characters",
		"pre-" + of(100, many[:7]): "too short", "pre-" + of(100, many[:8]): "",
		"pre-" + strings.Repeat(of(40, many), 2): "too short", "pre-" + of(80, many): "",
		"sealane_api_" + of(32, many): "",
	} {
		k, err := s.ImportAPIKey(t.Context(), wanted, key)
		if says == "" {
			must(t, err)
			if want := map[bool]int{true: 16, false: 4}[strings.HasPrefix(key, "sealane_")]; k.Prefix != key[:want] {
				t.Errorf("shown is %q", k.Prefix)
			}
		} else {
			refused(t, says, err)
		}
	}
}

// The approval of anchors is of their addresses, though only their names are shown. Eight are
// possible.
func TestAnchorsAsTheyWereShown(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	dir := t.TempDir()
	file := func(i int) string { return "file:" + filepath.Join(dir, fmt.Sprint(i)) }
	var eight []string
	for i := range 8 {
		eight = append(eight, file(i))
	}
	session := b.WithReason("CHG-1, agreed")
	must(t, session.SetAnchors(ctx, eight))
	hook := func(path string) []string { return []string{"http://localhost:9/" + path} }
	r := waits(t, b.Session, "no longer written to", session.SetAnchors(ctx, hook("shown")))
	as, _, err := b.ben.ApproveRequest(ctx, r.ID)
	must(t, err)
	refused(t, "no longer what was shown", as.SetAnchors(ctx, hook("another")))
	must(t, as.SetAnchors(ctx, hook("shown")))
}

// A private key that nobody can assign blocks none of the keys that somebody else or we have, in use
// or not.
func TestHiddenKeyBlocksItsSendersOnly(t *testing.T) {
	s, ctx := openSession(t).WithReason("a test of leaks"), t.Context()
	acme(t, s)
	secondPartner(t, s)
	sums := map[string][]byte{}
	must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "some"},
		func(tx registry.Tx, _ *registry.Entry) error {
			for _, name := range []string{"acme", "other", "ours"} {
				c := certificateIn(registry.Retired)
				c.ID, c.Partner, c.SPKISHA256 = "c-"+name, name, digestOf(name)
				if name == "ours" {
					c.Owner, c.Partner = registry.Ours, "acme"
				}
				sums[name] = c.SPKISHA256
				must(t, tx.PutCertificate(&c))
			}
			return nil
		}))
	leaked := registry.LeakedKey{Partner: "acme", Environment: "PROD", Leak: keyfile.Leak{}}
	for _, sum := range sums {
		leaked.SPKISHA256 = append(leaked.SPKISHA256, sum)
	}
	must(t, only(s.RecordLeak(ctx, leaked)))
	for name, sum := range sums {
		err := s.View(ctx, func(tx registry.Reader) error { return only(tx.Blocked(sum)) })
		if blocked := err == nil; blocked != (name == "acme") {
			t.Errorf("%s is blocked: %t, %v", name, blocked, err)
		}
	}
}

func digestOf(text string) []byte {
	sum := make([]byte, 32)
	copy(sum, text)
	return sum
}

// Requests are the same if they are by one person, for one act and one input.
func TestSameRequest(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	r := registry.Request{Operation: "Act", Input: []byte(`{"a":1}`), Action: registry.ActionKeyUnblock,
		Subject: "sha256/00", Why: "it is a test", Bound: []byte{1}}
	make := func(s *registry.Session, change func(*registry.Request)) string {
		other := r
		change(&other)
		made, err := s.MakeRequest(ctx, other)
		must(t, err)
		return made.ID
	}
	first := make(b.Session, func(*registry.Request) {})
	if again := make(b.Session, func(r *registry.Request) { r.Reason = "another" }); again != first {
		t.Errorf("%s is another request than %s", again, first)
	}
	for name, id := range map[string]string{
		"another person": make(b.ben, func(*registry.Request) {}),
		"another act":    make(b.Session, func(r *registry.Request) { r.Operation = "Other" }),
		"another input":  make(b.Session, func(r *registry.Request) { r.Input = []byte(`{"a":2}`) }),
		"another bound":  make(b.Session, func(r *registry.Request) { r.Bound = []byte{2} }),
	} {
		if id == first {
			t.Errorf("%s: the same request", name)
		}
	}
}

// A request that is open or granted is rejected; one that is done is not. An approval does not
// survive its approver.
func TestEndsOfRequests(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	optional := func(e *registry.Environment) { e.Sealing = sealane.SealingOptional }
	account := func(e *registry.Environment) { e.Account = "their-gateway" }
	reject := func(id string) error { return only(b.WithReason("made by mistake").RejectRequest(ctx, id)) }
	r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	must(t, only(b.ben.GrantRequest(ctx, r.ID)))
	must(t, reject(r.ID))
	waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional)) // the grant has ended with it
	refused(t, "is rejected already", reject(r.ID))
	done := waits(t, b.Session, "another account", b.change(ctx, b.Session, account))
	must(t, only(b.ben.GrantRequest(ctx, done.ID)))
	must(t, b.change(ctx, b.Session, account))
	refused(t, "is done already", reject(done.ID))

	r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	as, _, err := b.ben.ApproveRequest(ctx, r.ID)
	must(t, err)
	b.revoke(t, "ben")
	if err := b.change(ctx, as, optional); !errors.Is(err, registry.ErrUnknownToken) {
		t.Errorf("approved by somebody whose token was revoked meanwhile: %v", err)
	}
	r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	as, _, err = b.cora.ApproveRequest(ctx, r.ID)
	must(t, err)
	must(t, agreed(t, b.Session, func() error {
		return b.SetRoles(ctx, "cora", []registry.Role{registry.Approver, registry.Auditor})
	}))
	must(t, b.change(ctx, as, optional)) // she still is an approver
	person(t, b.Session, "dora", registry.Approver)
	must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.Sealing = sealane.SealingRequired }))
	r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	cora, err := b.Registry().Login(ctx, renewed(t, b, "cora"))
	must(t, err)
	as, _, err = cora.ApproveRequest(ctx, r.ID)
	must(t, err)
	must(t, agreed(t, b.Session, func() error {
		return b.SetRoles(ctx, "cora", []registry.Role{registry.Auditor})
	}))
	if err := b.change(ctx, as, optional); !errors.Is(err, registry.ErrUnknownToken) {
		t.Errorf("approved by somebody who is no approver any more: %v", err)
	}
}

// renewed returns a new token of a person.
func renewed(t *testing.T, b *bank, id string) (token string) {
	t.Helper()
	must(t, agreed(t, b.Session, func() (err error) {
		token, err = b.RenewToken(t.Context(), id)
		return err
	}))
	return token
}

// A request is open for a week and a grant for a day, to the second.
func TestLastMomentOfRequests(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	optional := func(e *registry.Environment) { e.Sealing = sealane.SealingOptional }
	r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	b.now = r.Created.Add(7*24*time.Hour - time.Second)
	must(t, only2(b.ben.ApproveRequest(ctx, r.ID)))
	b.now = r.Created.Add(7 * 24 * time.Hour)
	refused(t, "ended on", only2(b.ben.ApproveRequest(ctx, r.ID)))
	again := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	if again.ID == r.ID {
		t.Error("a request that has ended is open")
	}
	granted, err := b.ben.GrantRequest(ctx, again.ID)
	must(t, err)
	b.now = granted.Decided.Add(24 * time.Hour)
	r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	granted, err = b.ben.GrantRequest(ctx, r.ID)
	must(t, err)
	b.now = granted.Decided.Add(24*time.Hour - time.Second)
	must(t, b.change(ctx, b.Session, optional))
}

// Only a pair that partners share and that was imported can be with them before, and it is so for
// those who speak its dialect.
func TestInstalledBefore(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	must(t, s.AddPartner(ctx, registry.Partner{ID: "vcas", Name: "V", Profile: "rdx", Side: sealane.ServerSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "vcas", Name: "PROD", Approvals: 1,
		Sealing: sealane.SealingRequired, SenderAuth: sealane.SenderMutualTLS}))
	leaf, key := selfSigned(t, "installed before")
	n := registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject, Installed: []string{"acme"}}
	in := func(change func(*registry.NewPair)) error {
		other := n
		change(&other)
		return only2(s.ImportKeyPair(ctx, other, key, []*x509.Certificate{leaf}))
	}
	const only = "only a pair that was imported, and that partners share"
	refused(t, only, in(func(n *registry.NewPair) { n.Partner = "acme" }))
	refused(t, only, only2(s.CreateKeyPair(ctx, n)))
	refused(t, "a renewal is not installed before", in(func(n *registry.NewPair) { n.Renewal = true }))
	refused(t, "partner vcas speaks rdx", in(func(n *registry.NewPair) { n.Installed = []string{"acme", "vcas"} }))
	must(t, in(func(*registry.NewPair) {}))
	// What we have is known by its pair, too, should the certificate's row be lost.
	_, _, err := exchange.New(s).Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: leaf.Raw})
	refused(t, "; key pair k-", err)
}

// A shared key of a test environment enters the registry by one person.
func TestSharedKeyOfTests(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	leaf, key := selfSigned(t, "shared of tests")
	n := registry.NewPair{Profile: "riskos", Environment: "DEV"}
	must(t, only2(b.ImportKeyPair(ctx, n, key, []*x509.Certificate{leaf})))
	n.Environment = "PROD"
	leaf, key = selfSigned(t, "shared of production")
	asksSecond(t, "a private key for production", only2(b.ImportKeyPair(ctx, n, key, []*x509.Certificate{leaf})))
}

func selfSigned(t *testing.T, name string) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key := testkey.RSA(t, name, 2048)
	template := subject
	template.NotBefore, template.Usages = time.Now().UTC(), []string{"keyEncipherment", "digitalSignature"}
	leaf, err := cert.Create(key, template)
	must(t, err)
	return leaf, key
}

// A record that names neither rows nor a partner may be about all lanes.
func TestRecordAboutAnything(t *testing.T) {
	if c := registry.LaneChanges(audit.Record{Seq: 3, Action: "partner.change"}); !c.All {
		t.Errorf("%+v", c)
	}
	if c := registry.LaneChanges(audit.Record{Seq: 3, Action: "partner.change", Partner: "acme"}); c.All ||
		len(c.Partners) != 1 {
		t.Errorf("%+v", c)
	}
}

// A dry run is anchored nowhere.
func TestDryRunIsNotAnchored(t *testing.T) {
	s, heads := openSession(t), 0
	s.Registry().Recorded = func(context.Context, audit.Head) { heads++ }
	must(t, s.DryRun(t.Context(), func(dry *registry.Session) { acme(t, dry) }))
	if heads != 0 {
		t.Errorf("%d heads", heads)
	}
	acme(t, s)
	if heads != 2 {
		t.Errorf("%d heads, want one for each change", heads)
	}
}

// What a change of an environment does to its name does not count.
func TestEnvironmentKeepsItsName(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	secondPartner(t, s)
	must(t, s.ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"},
		func(e *registry.Environment) error {
			e.Partner, e.MailFrom = "other", "keys@bank.example"
			return nil
		}))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		for partner, want := range map[string]string{"acme": "keys@bank.example", "other": ""} {
			env, err := tx.Environment(partner, "PROD")
			must(t, err)
			if env.MailFrom != want {
				t.Errorf("%s: %q", partner, env.MailFrom)
			}
		}
		return nil
	}))
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	must(t, s.RaiseApprovals(ctx, lane))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment("acme", "PROD")
		if env.Approvals != 2 {
			t.Errorf("%d approvals", env.Approvals)
		}
		return err
	}))
}

// The last revocation of an approver counts, whatever their names are.
func TestLastRevocationCounts(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	b.revoke(t, "cora")
	b.now = b.now.Add(5 * 24 * time.Hour)
	b.revoke(t, "ben")
	add := func(id string) error {
		return third(b.AddPerson(ctx, registry.Person{ID: id, Roles: []registry.Role{registry.Approver}}))
	}
	b.now = b.now.Add(3 * 24 * time.Hour) // more than a week after the first
	asksSecond(t, "eve becomes approver", add("eve"))
	b.now = b.now.Add(4*24*time.Hour - time.Second)
	asksSecond(t, "eve becomes approver", add("eve"))
	b.now = b.now.Add(time.Second)
	must(t, add("eve"))
}

// More rows than a record has are not accepted together.
func TestAcceptedTogether(t *testing.T) {
	s := openSession(t).WithReason("restored by hand")
	found := make([]registry.RowFinding, 1001)
	for i := range found {
		found[i] = registry.RowFinding{Fault: registry.RowMissing, Row: fmt.Sprint("person/p", i), Sum: "00"}
	}
	refused(t, "one record accepts 1 to 1000", s.AcceptRows(t.Context(), found, "x"))
	refused(t, "one record accepts 1 to 1000", s.AcceptRows(t.Context(), nil, "x"))
	if err := s.AcceptRows(t.Context(), found[:1000], "x"); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("%v", err)
	}
}
