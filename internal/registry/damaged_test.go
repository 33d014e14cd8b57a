package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// twoLanes makes two partners who are ready for messages, each with a key pair of ours of its
// own, and returns the certificates and key pairs of the first.
func twoLanes(t testing.TB, s *registry.Session) (c registry.Certificate, k registry.KeyPair) {
	t.Helper()
	ctx, x := t.Context(), exchange.New(s)
	for _, id := range []string{"other", "acme"} {
		must(t, s.AddPartner(ctx, registry.Partner{ID: id, Name: id, Profile: "riskos", Side: sealane.ServerSide}))
		must(t, s.AddEnvironment(ctx, registry.Environment{Partner: id, Name: "SANDBOX",
			Sealing: sealane.SealingRequired}))
		_, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: id, Environment: "SANDBOX",
			Sealing: sealane.SealingRequired})
		must(t, err)
		k, _, err = s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: id, Environment: "SANDBOX",
			Subject: subject})
		must(t, err)
		must(t, s.MovePair(ctx, k.ID, registry.Active, false))
		leaf, _ := issued(t, testkey.RSA(t, "registry lanes of "+id, 2048).Public(), nil)
		c, _, err = x.Receive(ctx, exchange.Incoming{Partner: id, Environment: "SANDBOX", Data: cert.EncodePEM(leaf)})
		must(t, err)
		_, err = x.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: fmt.Sprintf("%x", c.SHA256)})
		must(t, err)
		must(t, x.Approve(ctx, c.ID, exchange.Approval{}))
		must(t, x.Activate(ctx, c.ID))
	}
	return c, k
}

// swap puts a value into a column of a row, and returns a function that puts the old one back.
func (d database) swap(table, column, id string, value any) (undo func()) {
	d.t.Helper()
	var before any
	from := fmt.Sprintf(" FROM %s WHERE id = '%s'", table, id)
	must(d.t, d.QueryRowContext(d.t.Context(), "SELECT "+column+from).Scan(&before))
	statement := fmt.Sprintf("UPDATE %s SET %s = ? WHERE id = '%s'", table, column, id)
	d.does(statement, value)
	return func() { d.does(statement, before) }
}

// A row that is damaged, or that contradicts itself, fails its own lane and is named. The other
// lanes live, and what is not about the row works.
func TestDamagedRowsFailTheirOwnLane(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, k := twoLanes(t, s)
		db, ctx, r := behind(t, address), t.Context(), s.Registry()
		acme := lanes.Name{Partner: "acme", Environment: "SANDBOX"}
		other := lanes.Name{Partner: "other", Environment: "SANDBOX"}
		var foreign registry.Certificate
		var api []registry.APIKey
		must(t, s.View(ctx, func(tx registry.Reader) error {
			theirs, err := tx.Certificates(registry.CertificateQuery{Partner: "other", Owner: registry.Theirs})
			must(t, err)
			foreign = theirs[0]
			api, err = tx.APIKeys("acme", "SANDBOX")
			return err
		}))
		junk := []byte("junk")
		type change struct {
			table, column, id string
			value             any
		}
		for _, damage := range []struct {
			why     string
			changes []change
		}{
			{"", nil},
			{"its side is none", []change{{"partner", "side", "acme", "x"}}},
			{"no JSON at byte 1", []change{{"key_pair", "body", k.ID, "{"}}},
			{"does not have the checksum", []change{{"key_pair", "spki", k.ID, foreign.SPKI}}},
			{"its public key does not have the checksum", []change{{"certificate", "spki", c.ID, foreign.SPKI}}},
			{"its public key does not have the checksum", []change{{"certificate", "spki", c.ID, junk}}},
			{"its public key is not that of its certificate", []change{{"certificate", "spki", c.ID, foreign.SPKI},
				{"certificate", "spki_sha256", c.ID, foreign.SPKISHA256}}},
			{"its certificate does not have the checksum", []change{{"certificate_text", "der", c.ID, junk}}},
			{"its hmac is none", []change{{"api_key", "hmac", api[0].ID, junk}}},
		} {
			var undo []func()
			for _, c := range damage.changes {
				undo = append(undo, db.swap(c.table, c.column, c.id, c.value))
			}
			snapshot, err := r.Snapshot(ctx)
			must(t, err)
			for name, fails := range map[lanes.Name]bool{other: false, acme: damage.why != "" &&
				damage.changes[0].table != "api_key"} {
				_, among := snapshot.Lane(name)
				_, alone := r.Lanes().ReadLane(ctx, name, r.Time())
				for _, err := range []error{among, alone} {
					if row, is := errors.AsType[*registry.DamagedRow](err); is != fails || !fails && err != nil ||
						is && (row.ID != damage.changes[0].id || !strings.Contains(row.Error(), damage.why)) {
						t.Errorf("%s: %s: %v", damage.why, name, err)
					}
				}
			}
			if all := snapshot.Damaged(); damage.why == "" != (len(all) == 0) || len(all) > 1 ||
				len(all) == 1 && !strings.Contains(all[0].Why, damage.why) {
				t.Errorf("%s: damaged are %v", damage.why, all)
			}
			if _, err := r.SharedPrimes(ctx, nil); err != nil {
				t.Errorf("%s: shared primes: %v", damage.why, err)
			}
			for _, back := range undo {
				back()
			}
		}
	})
}

// One damaged row keeps no list and no certificate away, and is named by each.
func TestDamagedRowsAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, k := twoLanes(t, s)
		eve, _ := person(t, s, "eve", registry.Approver)
		_ = eve
		db, ctx := behind(t, address), t.Context()
		db.swap("partner", "side", "acme", "x")
		db.swap("key_pair", "body", k.ID, "{")
		db.swap("certificate", "spki", c.ID, []byte("junk"))
		db.swap("certificate_text", "body", c.ID, "{")
		db.swap("person", "body", "eve", "[]")
		meddled.Store(t.Name(), 4)
		named := func(what, id string, damaged registry.DamagedRows, err error) {
			t.Helper()
			if err != nil || len(damaged) != 1 || damaged[0].ID != id {
				t.Errorf("%s: damaged are %v, %v", what, damaged, err)
			}
		}
		must(t, s.View(ctx, func(tx registry.Reader) error {
			partners, damaged, err := registry.Readable(tx.Partners(registry.Page{}))
			named("partners", "acme", damaged, err)
			pairs, damaged, err := registry.Readable(tx.KeyPairs(registry.KeyPairQuery{}))
			named("key pairs", k.ID, damaged, err)
			people, damaged, err := registry.Readable(tx.People())
			named("people", "eve", damaged, err)
			if len(partners) != 1 || len(pairs) != 1 || len(people) != 1 {
				t.Errorf("%d partners, %d key pairs, %d people", len(partners), len(pairs), len(people))
			}
			return nil
		}))
		rows, lost := 0, 0
		for row, err := range s.Registry().Inventory(ctx, registry.CertificateQuery{}) {
			must(t, err)
			if rows++; row.Damaged != "" {
				lost++
				if !strings.Contains(row.Damaged, k.ID) && row.ID != c.ID {
					t.Errorf("%+v", row)
				}
			}
		}
		if rows != 4 || lost != 2 { // the certificate, and that of the key pair
			t.Errorf("%d rows, %d of them damaged", rows, lost)
		}
		leaf, _ := issued(t, testkey.RSA(t, "registry with a damaged one", 2048).Public(), nil)
		_, _, err := exchange.New(s).Receive(ctx, exchange.Incoming{Partner: "other", Environment: "SANDBOX",
			Data: cert.EncodePEM(leaf)})
		must(t, err)
		// The people who are left can still be added and removed.
		_, err = s.AddPerson(ctx,
			registry.Person{ID: "ben", Email: "ben@bank.example", Roles: []registry.Role{auditor}})
		must(t, err)
		must(t, s.WithReason("has left").RevokePerson(ctx, "ben"))
	})
}
