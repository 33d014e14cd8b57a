package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// outside returns the keys of acme in PROD that do not count, as one text.
func outside(t *testing.T, s *store.Store) string {
	t.Helper()
	o, err := s.Outside(t.Context(), lanes.Name{Partner: "acme", Environment: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, k := range o.Pairs {
		all = append(all, fmt.Sprintf("pair %s of %q %s, %s, %d %q", k.ID, k.Partner, k.KeyID,
			k.Retired.Format("15:04"), k.SealedAs, k.Sealed))
		if string(k.SPKI) != "spki \x00\xff of pair "+k.ID || k.Profile != "riskos" || k.Environment != "PROD" {
			t.Errorf("%+v", k)
		}
	}
	for _, c := range o.Certificates {
		all = append(all, fmt.Sprintf("certificate %s %s %s %s %s", c.ID, c.KeyID, c.State, c.Since.Format("15:04"),
			c.SPKI))
	}
	return strings.Join(all, "\n")
}

// Retired pairs whose private keys are there, and the partner's certificates on their way in, of this lane alone.
func TestOutside(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		pair := func(id, of, environment string, change func(*registry.KeyPair)) func(registry.Tx) error {
			k := keyPair(id, of, environment)
			k.State = registry.Retired
			change(&k)
			return func(tx registry.Tx) error { return tx.PutKeyPair(&k) }
		}
		same := func(*registry.KeyPair) {}
		theirs := func(id, of string, owner registry.Owner, state registry.State) func(registry.Tx) error {
			c := certificate(id, owner, of, "PROD")
			c.State = state
			return func(tx registry.Tx) error { return tx.PutCertificate(&c) }
		}
		blocked := func(id string, lifted time.Time) func(registry.Tx) error {
			return func(tx registry.Tx) error {
				return tx.PutBlocked(registry.Blocked{SPKISHA256: sum("pair " + id), At: noon, Lifted: lifted})
			}
		}
		update(t, s, func(tx registry.Tx) error {
			stag := environment("acme", "STAG")
			err := all(agreement(tx, "acme", "PROD"), tx.PutEnvironment(&stag), agreement(tx, "other", "PROD"))
			for _, put := range []func(registry.Tx) error{
				pair("retired", "acme", "PROD", same), pair("shared", "", "PROD", same),
				pair("lifted", "acme", "PROD", same), blocked("lifted", noon),
				pair("blocked", "acme", "PROD", same), blocked("blocked", time.Time{}),
				pair("active", "acme", "PROD", func(k *registry.KeyPair) { k.State = registry.Active }),
				pair("compromised", "acme", "PROD", func(k *registry.KeyPair) { k.State = registry.Compromised }),
				pair("destroyed", "acme", "PROD", func(k *registry.KeyPair) { k.Sealed = nil }),
				pair("in STAG", "acme", "STAG", same), pair("of other", "other", "PROD", same),
				pair("shared in rdx", "", "PROD", func(k *registry.KeyPair) { k.Profile = "rdx" }),
				theirs("received", "acme", registry.Theirs, registry.Received),
				theirs("matched", "acme", registry.Theirs, registry.Matched),
				theirs("approved", "acme", registry.Theirs, registry.Approved),
				theirs("staged", "acme", registry.Theirs, registry.Staged),
				theirs("rejected", "acme", registry.Theirs, registry.Rejected),
				theirs("not theirs", "acme", registry.Ours, registry.Received),
				theirs("of other", "other", registry.Theirs, registry.Received),
			} {
				err = all(err, put(tx))
			}
			return err
		})
		want := `pair lifted of "acme" kid-lifted, 13:00, 7 "\x00sealed lifted"
pair retired of "acme" kid-retired, 13:00, 7 "\x00sealed retired"
pair shared of "" kid-shared, 13:00, 7 "\x00sealed shared"
certificate approved kid-approved approved 12:00 spki of approved
certificate matched kid-matched matched 12:00 spki of matched
certificate received kid-received received 12:00 spki of received`
		if got := outside(t, s); got != want {
			t.Errorf("outside are\n%s, want\n%s", got, want)
		}
		none, err := s.Outside(t.Context(), lanes.Name{Partner: "nobody", Environment: "PROD"})
		if err != nil || len(none.Pairs)+len(none.Certificates) > 0 {
			t.Errorf("%+v, %v", none, err)
		}
	})
}

// Of many, the newest are read.
func TestOutsideIsBounded(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error { return agreement(tx, "acme", "PROD") })
		for i := range 2*lanes.MostOutside + 1 {
			update(t, s, func(tx registry.Tx) error {
				own := keyPair(fmt.Sprint("own", i), "acme", "PROD")
				shared := keyPair(fmt.Sprint("shared", i), "", "PROD")
				c := certificate(fmt.Sprint("c", i), registry.Theirs, "acme", "PROD")
				own.State, shared.State, c.State = registry.Retired, registry.Retired, registry.Received
				return all(tx.PutKeyPair(&own), tx.PutKeyPair(&shared), tx.PutCertificate(&c),
					audit.Write(tx, audit.Record{Time: noon, Actor: "ada", Action: "a", Subject: "b"}))
			})
		}
		got := outside(t, s)
		for _, kind := range []string{"pair own", "pair shared", "certificate c"} {
			if n := strings.Count(got, kind); n != lanes.MostOutside {
				t.Errorf("%s: %d", kind, n)
			}
		}
		if !strings.Contains(got, "pair own16 ") || strings.Contains(got, "pair own0 ") {
			t.Errorf("not the newest: %s", got)
		}
	})
}

// An index of the partner, or of the environment for shared pairs, answers each query.
func TestOutsidePlans(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error { return all(fill(tx, 0, 1500), manyStates(tx)) })
		if strings.HasPrefix(address, "postgres") {
			if _, err := raw(t, address).ExecContext(t.Context(), "VACUUM ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		plans, err := s.OutsidePlans(t.Context(), lanes.Name{Partner: benchPartner(7), Environment: "PROD"})
		if err != nil || len(plans) != 3 {
			t.Fatal(len(plans), err)
		}
		for i, index := range []string{"key_pair_partner", "key_pair_partner", "certificate_partner"} {
			if !strings.Contains(plans[i], index) || strings.Contains(plans[i], "_state") {
				t.Errorf("%s does not answer\n%s", index, plans[i])
			}
		}
	})
}
