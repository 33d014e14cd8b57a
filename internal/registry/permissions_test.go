package registry_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

const (
	administrator = registry.Administrator
	operator      = registry.Operator
	approver      = registry.Approver
	auditor       = registry.Auditor
	backup        = registry.Backup
)

// permission is an action, who may do it, and how it is tried. What is tried fails for
// who may, with says, or is done where that is empty.
type permission struct {
	action registry.Action
	may    []registry.Role
	says   string
	try    func(context.Context, *registry.Session) error
}

// inside fails a change from inside.
func inside(action registry.Action) func(context.Context, *registry.Session) error {
	return func(ctx context.Context, s *registry.Session) error {
		return s.Change(ctx, registry.Entry{Action: action},
			func(registry.Tx, *registry.Entry) error { return errors.New("inside") })
	}
}

// exchanging tries a step of the exchange.
func exchanging(step func(context.Context, exchange.Exchange) error) func(context.Context, *registry.Session) error {
	return func(ctx context.Context, s *registry.Session) error {
		return step(ctx, exchange.New(s.WithReason("as agreed")))
	}
}

// only leaves the error of an answer.
func only[T any](_ T, err error) error { return err }

// Each role may do what is its own, and nothing else: one person alone brings no key in,
// and who reads changes nothing.
func TestPermissions(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	sessions := map[registry.Role]*registry.Session{}
	for _, role := range []registry.Role{administrator, operator, approver, auditor, backup} {
		sessions[role], _ = person(t, s, string(role), role)
	}
	for _, p := range slices.Concat(permissionsOfPartners(), permissionsOfKeys(t), permissionsOfExchange(t),
		permissionsOfAdministration(t)) {
		for role, at := range sessions {
			err := p.try(ctx, at)
			switch {
			case !slices.Contains(p.may, role):
				if !errors.Is(err, registry.ErrForbidden) {
					t.Errorf("%s by the %s: %v", p.action, role, err)
				}
				refused(t, fmt.Sprintf("%s needs the role %s, and %s has %[3]s", p.action, orRoles(p.may), role), err)
			case p.says == "" && err != nil, p.says != "" && (err == nil || !strings.Contains(err.Error(), p.says)):
				t.Errorf("%s by the %s: %v, want %q", p.action, role, err, p.says)
			}
		}
	}
}

func orRoles(roles []registry.Role) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = string(r)
	}
	return strings.Join(texts, " or ")
}

func permissionsOfPartners() []permission {
	ours := []registry.Role{operator}
	const nobody = `partner "nobody": not found`
	return []permission{
		{"partner.add", ours, "use small letters", func(ctx context.Context, s *registry.Session) error {
			return s.AddPartner(ctx, registry.Partner{ID: "A B", Name: "X", Profile: "riskos",
				Side: sealane.ServerSide})
		}},
		{"partner.export", ours, `key pair "k-none": not found`,
			exchanging(func(ctx context.Context, x exchange.Exchange) error {
				target := exchange.Target{KeyPair: "k-none", Partner: "acme"}
				return x.Export(ctx, exchange.PartnerFileOptions{Target: target}, nil)
			})},
		{"environment.add", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.AddEnvironment(ctx, registry.Environment{Partner: "nobody", Name: "PROD",
				Sealing: sealane.SealingRequired})
		}},
		{"environment.change", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.ChangeEnvironment(ctx, registry.Environment{Partner: "nobody", Name: "PROD"}, nil)
		}},
		{"url.set", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.SetURL(ctx, lanes.Name{Partner: "nobody", Environment: "PROD"}, "https://a.example")
		}},
		{"contact.set", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.SetContact(ctx, lanes.Name{Partner: "nobody", Environment: "PROD"}, registry.Contact{})
		}},
		{"contact.remove", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.RemoveContact(ctx, lanes.Name{Partner: "nobody", Environment: "PROD"}, registry.ContactName{})
		}},
		{"contact.change", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return only(s.ChangeContact(ctx, lanes.Name{Partner: "nobody", Environment: "PROD"},
				registry.ContactName{}, nil))
		}},
		{"partner.change", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.RenamePartner(ctx, "nobody", "Somebody")
		}},
		{"partner.archive", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("has left").ArchivePartner(ctx, "nobody")
		}},
		{"partner.restore", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.RestorePartner(ctx, "nobody")
		}},
		{"partner.remove", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("has left").RemovePartner(ctx, "nobody")
		}},
		{"environment.remove", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("a typo").RemoveEnvironment(ctx, lanes.Name{Partner: "nobody", Environment: "PROD"})
		}},
		{"apikey.label", ours, `API key "a-none": not found`, func(ctx context.Context, s *registry.Session) error {
			return s.LabelAPIKey(ctx, "a-none", "batch")
		}},
		{"apikey.issue", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return second(s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "nobody", Environment: "PROD",
				Sealing: sealane.SealingRequired}))
		}},
		{"apikey.import", ours, nobody, func(ctx context.Context, s *registry.Session) error {
			return only(s.ImportAPIKey(ctx, registry.NewAPIKey{Partner: "nobody", Environment: "PROD",
				Sealing: sealane.SealingRequired}, "0123456789abcdef0123456789ABCDEFghij"))
		}},
		{"apikey.revoke", []registry.Role{operator, approver}, `API key "a-none": not found`, func(ctx context.Context,
			s *registry.Session) error {
			return s.WithReason("it is lost").RevokeAPIKey(ctx, "a-none")
		}},
	}
}

func permissionsOfKeys(t *testing.T) []permission {
	ours := []registry.Role{operator}
	key := testkey.RSA(t, "registry permissions", 2048)
	leaf, _ := issued(t, key.Public(), nil)
	sum, err := registry.SPKISum(&key.PublicKey)
	must(t, err)
	const nowhere = `environment "NONE" is none of profile riskos`
	return []permission{
		{"key.create", ours, nowhere, func(ctx context.Context, s *registry.Session) error {
			_, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "NONE",
				Subject: subject})
			return err
		}},
		{"key.import", ours, nowhere, func(ctx context.Context, s *registry.Session) error {
			_, _, err := s.ImportKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "NONE"}, key,
				[]*x509.Certificate{leaf})
			return err
		}},
		{"key.export", ours, `key pair "k-none": not found`, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("it moves").ExportKeyPair(ctx, registry.KeyPairExport{
				KeyPair: "k-none", Format: "pkcs8", Passphrase: []byte("a long passphrase"),
			})
		}},
		{"key.installed", ours, `key pair "k-none": not found`, func(ctx context.Context, s *registry.Session) error {
			return s.MovePair(ctx, "k-none", registry.Active, false)
		}},
		{"key.retire", ours, `key pair "k-none": not found`, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("too old").MovePair(ctx, "k-none", registry.Retired, true)
		}},
		{"key.destroy", ours, `key pair "k-none": not found`, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("too old").MovePair(ctx, "k-none", registry.Destroyed, false)
		}},
		{"key.revoke", []registry.Role{operator, approver}, `key pair "k-none": not found`,
			func(ctx context.Context, s *registry.Session) error {
				return s.WithReason("seen elsewhere").MovePair(ctx, "k-none", registry.Compromised, false)
			}},
		{"key.block", []registry.Role{operator, approver}, "", func(ctx context.Context, s *registry.Session) error {
			return only(s.WithReason("another product's").BlockKeys(ctx, [][]byte{sum}))
		}},
	}
}

func permissionsOfExchange(t *testing.T) []permission {
	ours, both := []registry.Role{operator}, []registry.Role{operator, approver}
	leaf, _ := issued(t, testkey.RSA(t, "registry permissions 2", 2048).Public(), nil)
	const noPair, noCertificate = `key pair "k-none": not found`, `certificate "c-none": not found`
	step := func(action registry.Action, may []registry.Role, says string, step func(context.Context,
		exchange.Exchange) error) permission {
		return permission{action, may, says, exchanging(step)}
	}
	return []permission{
		step("exchange.offer", ours, noPair, func(ctx context.Context, x exchange.Exchange) error {
			return x.Offer(ctx, exchange.Target{KeyPair: "k-none", Partner: "acme"}, nil)
		}),
		step("exchange.alias", ours, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return x.SetKeyID(ctx, exchange.KeyIDChange{ID: "c-none", KeyID: "name"})
		}),
		step("exchange.receive", ours, `partner "nobody": not found`, func(ctx context.Context,
			x exchange.Exchange) error {
			_, _, err := x.Receive(ctx, exchange.Incoming{Partner: "nobody", Environment: "PROD", Data: leaf.Raw})
			return err
		}),
		{"exchange.alarm", ours, "", func(ctx context.Context, s *registry.Session) error {
			return only(s.RecordLeak(ctx, registry.LeakedKey{Partner: "acme", Environment: "PROD",
				Leak: keyfile.Leak{}}))
		}},
		step("exchange.match", ours, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return only(x.MatchChecksum(ctx, exchange.Comparison{Certificate: "c-none", Checksum: strings.Repeat("00",
				32)}))
		}),
		{"exchange.mismatch", both, "inside", inside("exchange.mismatch")},
		step("exchange.challenge", ours, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return only(x.Challenge(ctx, "c-none", false))
		}),
		step("exchange.prove", ours, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return x.Prove(ctx, exchange.Proof{Certificate: "c-none", Answer: "answer"})
		}),
		step("exchange.answer", ours, `partner "nobody": not found`, func(ctx context.Context,
			x exchange.Exchange) error {
			return only(x.Answer(ctx, []byte("a.b.c.d.e"), "nobody"))
		}),
		step("exchange.approve", []registry.Role{approver}, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Approve(ctx, "c-none", exchange.Approval{Change: "CHG-1"})
		}),
		step("exchange.reject", both, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Reject(ctx, "c-none")
		}),
		step("exchange.revoke", both, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Revoke(ctx, "c-none")
		}),
		step("exchange.retire", ours, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Retire(ctx, "c-none", true)
		}),
		step("exchange.reject", both, noPair, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Reject(ctx, "k-none")
		}),
		step("exchange.stage", ours, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Stage(ctx, "c-none")
		}),
		step("exchange.activate", ours, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Activate(ctx, "c-none")
		}),
		step("exchange.migrate", ours, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return x.Migrate(ctx,
				exchange.Migration{Certificates: []string{"c-none"}, Record: "the old system's export"})
		}),
		step("exchange.undo", both, noCertificate, func(ctx context.Context, x exchange.Exchange) error {
			return only(x.Undo(ctx, "c-none", ""))
		}),
		step("exchange.dismiss", []registry.Role{approver}, noCertificate, func(ctx context.Context,
			x exchange.Exchange) error {
			return x.Dismiss(ctx, "c-none")
		}),
		step("exchange.dismiss", []registry.Role{approver}, noPair,
			func(ctx context.Context, x exchange.Exchange) error {
				return x.Dismiss(ctx, "k-none")
			}),
		step("exchange.reject", both, noPair, func(ctx context.Context, x exchange.Exchange) error {
			return x.Withdraw(ctx, exchange.Target{KeyPair: "k-none", Partner: "acme"})
		}),
		step("key.undo", ours, noPair, func(ctx context.Context, x exchange.Exchange) error {
			return only(x.Undo(ctx, "k-none", ""))
		}),
		step("key.installed", ours, noPair, func(ctx context.Context, x exchange.Exchange) error {
			return x.MarkInstalled(ctx, exchange.Target{KeyPair: "k-none", Partner: "acme"})
		}),
	}
}

func permissionsOfAdministration(t *testing.T) []permission {
	alone := []registry.Role{administrator}
	source, err := profile.Source("riskos")
	must(t, err)
	source = bytes.Replace(source, []byte("name: riskos"), []byte("name: ours"), 1)
	const nobody = `person "nobody": not found`
	return []permission{
		{"person.add", alone, "has no role", func(ctx context.Context, s *registry.Session) error {
			return third(s.AddPerson(ctx, registry.Person{ID: "eve"}))
		}},
		{"person.revoke", alone, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.WithReason("has left").RevokePerson(ctx, "nobody")
		}},
		{"person.token", alone, nobody, func(ctx context.Context, s *registry.Session) error {
			return third(s.RenewToken(ctx, "nobody"))
		}},
		{"person.roles", alone, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.SetRoles(ctx, "nobody", []registry.Role{approver})
		}},
		{"rootkey.rotate", alone, "all private keys are encrypted under another root key",
			func(ctx context.Context, s *registry.Session) error {
				next, err := rootkey.Generate()
				must(t, err)
				return only(s.WithReason("yearly rotation").RotateRoot(ctx, next, nil))
			}},
		{"profile.add", []registry.Role{administrator, operator}, "", func(ctx context.Context,
			s *registry.Session) error {
			return only(s.AddProfile(ctx, source))
		}},
		{"profile.change", alone, `profile "none" is not known`, func(ctx context.Context, s *registry.Session) error {
			none := bytes.Replace(source, []byte("name: ours"), []byte("name: none"), 1)
			return s.WithReason("as agreed").ChangeProfile(ctx, "none", none)
		}},
		{"profile.remove", []registry.Role{administrator, operator}, `profile "none" is not known`,
			func(ctx context.Context, s *registry.Session) error {
				return s.WithReason("as agreed").RemoveProfile(ctx, "none")
			}},
		{"person.change", alone, nobody, func(ctx context.Context, s *registry.Session) error {
			return s.ChangePerson(ctx, "nobody", registry.PersonChange{})
		}},
		{"backup", []registry.Role{administrator, backup}, "inside", inside("backup")},
		{"node.remove", []registry.Role{administrator, operator}, `node "none": not found`,
			func(ctx context.Context, s *registry.Session) error {
				return s.WithReason("its machine is gone").RemoveNode(ctx, "none")
			}},
		{"token.end", []registry.Role{administrator, operator, approver, auditor, backup}, "inside",
			inside("token.end")},
		{"token.renew", []registry.Role{administrator, operator, approver, auditor, backup}, "inside",
			inside("token.renew")},
		{"self", []registry.Role{administrator, operator, approver, auditor, backup}, "",
			func(_ context.Context, s *registry.Session) error { return s.May("self") }},
		{"read", []registry.Role{administrator, operator, approver, auditor}, "",
			func(_ context.Context, s *registry.Session) error { return s.May("read") }},
	}
}

// The first root key is brought by an administrator or operator.
func TestWhoBringsTheRootKey(t *testing.T) {
	for role, may := range map[registry.Role]bool{administrator: true, operator: true, approver: false,
		auditor: false} {
		anna, _ := sessionAt(t, filepath.Join(t.TempDir(), "registry.db"), "")
		s, _ := person(t, anna, "somebody", role)
		key, err := rootkey.Generate()
		must(t, err)
		if err := s.SetRoot(t.Context(), key, nil); errors.Is(err, registry.ErrForbidden) == may || may && err != nil {
			t.Errorf("by the %s: %v", role, err)
		}
		if has := s.Registry().Root != nil; has != may {
			t.Errorf("after the %s the registry has a root key: %t", role, has)
		}
	}
}
