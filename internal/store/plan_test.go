package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// An index answers each query: on SQLite without statistics, on PostgreSQL with those that
// the server makes by itself.
func TestPlans(t *testing.T) {
	type certificates = registry.CertificateQuery
	type keyPairs = registry.KeyPairQuery
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error { return all(fill(tx, 0, 1500), manyStates(tx), manyRecords(tx)) })
		for _, few := range [][]string{{"partner-000007"}, {"partner-000007", "partner-000008", "partner-000009"}} {
			plans, err := s.PartnerPlans(t.Context(), few)
			for _, plan := range plans { // also before PostgreSQL has statistics
				if strings.Contains(plan, "_state") || strings.Contains(plan, "Seq Scan on certificate") {
					t.Errorf("the keys of %d partners are not found by the partners\n%s", len(few), plan)
				}
			}
			if err != nil || len(plans) != 3 {
				t.Error(len(plans), err)
			}
		}
		if strings.HasPrefix(address, "postgres") {
			if _, err := raw(t, address).ExecContext(t.Context(), "VACUUM ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		check := func(q any, index, plan string, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			answers := func(index string) bool { return slices.Contains(strings.Fields(plan), index) }
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
			{certificates{Serial: "5dc"}, "certificate_serial"},
			{certificates{SHA1: benchBytes(7, "none")[:20]}, "certificate_sha1"},
			{certificates{FileSHA256: benchBytes(7, "none")}, "certificate_file"},
			{certificates{Containing: "partner-000007"}, "certificate_names"},
		} {
			plan, err := s.CertificatePlan(t.Context(), c.q)
			check(c.q, c.index, plan, err)
		}
		after, until := registry.Arrival{ID: "c1"}, registry.Arrival{Added: 1, ID: "c2"}
		for _, stretch := range []registry.Stretch{{}, {After: after}, {After: after, Until: until}} {
			q := certificates{Arrived: &stretch, Brief: true, Page: registry.Page{Limit: 10}}
			plan, err := s.InventoryPlan(t.Context(), q)
			check(stretch, "certificate_arrival", plan, err)
			if strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") {
				t.Errorf("%+v: rows are sorted:\n%s", stretch, plan)
			}
		}
		if !strings.HasPrefix(address, "postgres") { // which reads a small table as a whole
			plan, err := s.LookPlan(t.Context(), noon)
			for _, index := range []string{"certificate_ends", "environment_lead", "certificate_active"} {
				check("what is due", index, plan, err)
			}
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
		for _, c := range []struct {
			q     registry.AuditQuery
			index string
		}{
			{registry.AuditQuery{Partner: partner, Limit: 100}, "audit_partner"},
			{registry.AuditQuery{Subjects: []string{"partner/" + partner}, Limit: 100}, "audit_subject"},
			{registry.AuditQuery{Who: "person-7", Limit: 100}, "audit_actor"},
			{registry.AuditQuery{Action: "action-7", Limit: 100, Oldest: true}, "audit_action"},
			{registry.AuditQuery{After: 1000, Before: 1101, Limit: 100, Since: noon.Add(1000 * time.Second)},
				"sqlite_autoindex_audit_1|audit_pkey"},
		} {
			plan, err := s.AuditPlan(t.Context(), c.q)
			check(c.q, c.index, plan, err)
		}
		if !strings.HasPrefix(address, "postgres") { // which reads a small table as a whole
			searches, err := s.SearchPlans(t.Context(), "partner-000007")
			for index, plan := range searches {
				check("a part of a name", index, plan, err)
			}
		}
		// Most rows are wanted here, so the table is read from its beginning to its end.
		plan, err := s.LanePlan(t.Context())
		bySQLite := "INDEX sqlite_autoindex_certificate_text_1" // the other half of a row that is wanted
		if err != nil || strings.Contains(strings.ToLower(strings.ReplaceAll(plan, bySQLite, "")), "index") {
			t.Errorf("lanes are read by an index: %v\n%s", err, plan)
		}
		if !strings.HasPrefix(address, "postgres") { // which reads a small table as a whole
			plan, err := s.OwnCertificatesPlan(t.Context())
			check("our certificates", "certificate_key_pair", plan, err)
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

// manyRecords appends audit records of many partners, people and actions.
func manyRecords(tx registry.Tx) error {
	for i := range 3000 {
		partner := benchPartner(i / 2)
		if err := audit.Write(tx, audit.Record{Time: noon.Add(time.Duration(i) * time.Second),
			Actor: fmt.Sprint("person-", i/10), Action: fmt.Sprint("action-", i/30), Subject: "partner/" + partner,
			Partner: partner, Environment: "PROD"}); err != nil {
			return err
		}
	}
	return nil
}
