package registry_test

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/testkey"
)

// Each act that needs a second person can be done when somebody has approved it, though time has passed
// since it was asked for.
func TestEachActIsDoneAfterItsApproval(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	as := b.WithReason("CHG-1, agreed")
	key := testkey.RSA(t, "registry each act", 2048)
	leaf, _ := issued(t, key.Public(), nil)
	pair, _, err := b.CreateKeyPair(ctx, registry.NewPair{
		Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject,
	})
	must(t, err)
	must(t, b.AddPartner(ctx, registry.Partner{ID: "beta", Name: "B", Profile: "riskos", Side: sealane.ServerSide}))
	must(t, b.AddPartner(ctx, registry.Partner{ID: "us", Name: "U", Profile: "riskos", Side: sealane.ClientSide}))
	must(t, b.AddEnvironment(ctx, environmentOf("us", "PROD")))
	source := ownDialect(t, "ours")
	must(t, only(b.AddProfile(ctx, source)))
	next, err := rootkey.Generate()
	must(t, err)
	anchor := "file:" + filepath.Join(t.TempDir(), "heads")
	must(t, as.SetAnchors(ctx, []string{anchor}))
	sum := bytes.Repeat([]byte{7}, 32)
	must(t, only(as.BlockKeys(ctx, [][]byte{sum})))
	raised := lanes.Name{Partner: "beta", Environment: "SANDBOX"}
	must(t, b.AddEnvironment(ctx, environmentOf("beta", "SANDBOX")))
	must(t, b.RaiseApprovals(ctx, raised))
	person(t, b.Session, "olga", registry.Operator)
	loose := environmentOf("beta", "PROD")
	loose.Sealing = sealane.SealingOptional
	optionalKey := registry.NewAPIKey{Partner: "acme", Environment: "PROD", Sealing: sealane.SealingOptional}
	try := func(name string, act func() error) {
		t.Helper()
		r := waits(t, b.Session, "second person", act())
		if string(r.Action) != name {
			t.Errorf("%s asks for %s", name, r.Action)
		}
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		if err := act(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, act := range map[string]func() error{
		"environment.change": func() error { return b.change(ctx, b.Session, optional) },
		"environment.add":    func() error { return as.AddEnvironment(ctx, loose) },
		"partner.add": func() error {
			return as.AddPartnerWith(ctx, registry.NewPartner{
				Partner:     registry.Partner{ID: "c", Name: "C", Profile: "riskos", Side: sealane.ServerSide},
				Environment: loose,
			})
		},
		"environment.remove": func() error { return as.RemoveEnvironment(ctx, raised) },
		"url.set": func() error {
			return as.SetURL(ctx, lanes.Name{Partner: "us", Environment: "PROD"}, "https://us.example/api")
		},
		"apikey.issue": func() error { return second(as.IssueAPIKey(ctx, optionalKey)) },
		"apikey.import": func() error {
			return only(as.ImportAPIKey(ctx, optionalKey, "0123456789abcdef0123456789ABCDEFghij"))
		},
		"key.export": func() error {
			return only(exported(ctx, as, registry.KeyPairExport{
				KeyPair: pair.ID, Format: "pkcs8", Passphrase: []byte("a long passphrase"),
			}))
		},
		"key.import": func() error {
			_, _, err := as.ImportKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD",
				Installed: []string{"acme"}}, key, []*x509.Certificate{leaf})
			return err
		},
		"person.add": func() error {
			return third(as.AddPerson(ctx, registry.Person{ID: "eve", Roles: []registry.Role{registry.Approver}}))
		},
		"person.roles": func() error {
			return as.SetRoles(ctx, "olga", []registry.Role{registry.Operator, registry.Administrator})
		},
		"person.token":   func() error { return third(as.RenewToken(ctx, "cora")) },
		"profile.change": func() error { return as.ChangeProfile(ctx, "ours", append(source, "# other\n"...)) },
		"anchors.set":    func() error { return as.SetAnchors(ctx, nil) },
		"key.unblock":    func() error { return as.UnblockKey(ctx, sum) },
	} {
		try(name, act)
	}
	try("rootkey.rotate", func() error { return only(as.RotateRoot(ctx, next, nil)) })
}
