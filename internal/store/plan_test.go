package store_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// An index answers each query: on SQLite without statistics, on PostgreSQL with those that
// the server makes by itself.
func TestPlans(t *testing.T) {
	type certificates = registry.CertificateQuery
	type keyPairs = registry.KeyPairQuery
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error { return all(fill(tx, 0, 1500), manyStates(tx)) })
		if strings.HasPrefix(address, "postgres") {
			if _, err := raw(t, address).ExecContext(t.Context(), "ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		check := func(q any, index, plan string, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			answers := func(index string) bool { return strings.Contains(plan, index+" ") }
			if !slices.ContainsFunc(strings.Split(index, "|"), answers) || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%+v is not answered by %s:\n%s", q, index, plan)
			}
		}
		partner, in, alive := benchPartner(7), "PROD", registry.StatesAlive
		for _, c := range []struct {
			q     certificates
			index string
		}{
			{certificates{SHA256: benchBytes(7, "certificate 1")}, "certificate_sha256"},
			{certificates{SPKISHA256: benchBytes(7, "spki 1")}, "certificate_spki"},
			{certificates{SPKISHA256: benchBytes(7, "spki 1"), Owner: registry.Theirs, States: alive},
				"certificate_spki"},
			{certificates{KeyID: benchKeyID(7)}, "certificate_key_id"},
			{certificates{KeyID: benchKeyID(7), States: registry.StatesInUse}, "certificate_key_id"},
			{certificates{KeyPair: "p2"}, "certificate_key_pair"},
			{certificates{Partner: partner}, "certificate_partner"},
			{certificates{Partner: partner, Environment: in, Owner: registry.Theirs, States: alive},
				"certificate_partner"},
			{certificates{Environment: "STAG"}, "certificate_environment"},
			{certificates{States: []registry.State{registry.Received}}, "certificate_state"},
			{certificates{States: []registry.State{registry.Received, registry.Matched}, Owner: registry.Theirs},
				"certificate_state|certificate_due"},
			{certificates{NotAfterBefore: noon.Add(48 * time.Hour), States: registry.StatesInUse}, "certificate_due"},
		} {
			plan, err := s.CertificatePlan(t.Context(), c.q)
			check(c.q, c.index, plan, err)
		}
		for _, c := range []struct {
			q     keyPairs
			index string
		}{
			{keyPairs{SPKISHA256: sum("pair 7")}, "key_pair_spki"},
			{keyPairs{KeyID: "kid-7"}, "key_pair_key_id"},
			{keyPairs{Profile: "riskos", Partner: partner, Environment: in, States: registry.StatesInUse},
				"key_pair_partner"},
			{keyPairs{Profile: "riskos", Shared: true, Environment: in, States: registry.StatesInUse},
				"key_pair_partner"},
		} {
			plan, err := s.KeyPairPlan(t.Context(), c.q)
			check(c.q, c.index, plan, err)
		}
		// Most rows are wanted here, so the table is read from its beginning to its end.
		plan, err := s.LanePlan(t.Context())
		bySQLite := "INDEX sqlite_autoindex_certificate_text_1" // the other half of a row that is wanted
		if err != nil || strings.Contains(strings.ToLower(strings.ReplaceAll(plan, bySQLite, "")), "index") {
			t.Errorf("lanes are read by an index: %v\n%s", err, plan)
		}
	})
}

// manyStates puts certificates of few states and environments, and key pairs.
func manyStates(tx registry.Tx) error {
	if err := certificates(tx); err != nil {
		return err
	}
	for i := range 1500 {
		k := keyPair(strconv.Itoa(i), benchPartner(i), "PROD")
		if i%100 == 0 {
			k.Partner = ""
		}
		if err := tx.PutKeyPair(&k); err != nil {
			return err
		}
	}
	return nil
}
