package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/todo"
)

// concernQueries asks for each concern.
func concernQueries() []registry.ConcernQuery {
	needing := []registry.Side{{Profile: "riskos", Side: sealane.ServerSide}}
	all := []registry.ConcernQuery{{Concern: registry.ConcernRenewal, Step: registry.RenewalAsked}}
	for _, c := range []registry.Concern{
		registry.ConcernEnds, registry.ConcernIncoming, registry.ConcernOurAlarm, registry.ConcernTheirAlarm,
		registry.ConcernMismatch, registry.ConcernWaiver, registry.ConcernNoOurs, registry.ConcernNoTheirs,
		registry.ConcernNoContact, registry.ConcernOptional, registry.ConcernUnauthenticated, registry.ConcernSHA1,
		registry.ConcernOffer,
	} {
		all = append(all, registry.ConcernQuery{Concern: c, Before: noon.AddDate(0, 0, 75), Needing: needing})
	}
	for i := range all {
		all[i].Limit = 20
	}
	return all
}

// BenchmarkConcerns reads every concern of a registry with so many partners, of whom each has a lane.
func BenchmarkConcerns(b *testing.B) {
	for _, d := range databases {
		for _, partners := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("db=%s/partners=%dk", d.name, partners/1000), func(b *testing.B) {
				address := d.address(b)
				s := open(b, address)
				for from := 0; from < partners; from += 10_000 {
					update(b, s, func(tx registry.Tx) error {
						to := min(from+10_000, partners)
						return all(fill(tx, from, to), concerning(tx, from, to))
					})
				}
				if d.name == "postgres" {
					if _, err := raw(b, address).ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil {
						b.Fatal(err)
					}
				}
				r := &registry.Registry{Store: s, Now: func() time.Time { return noon }}
				b.Run("all", func(b *testing.B) {
					for b.Loop() {
						list, err := todo.Look(b.Context(), &r.Program().Viewer, todo.Query{Days: 75})
						if err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(float64(len(list.Items)), "items")
					}
				})
				for _, q := range concernQueries() {
					b.Run(string(q.Concern), func(b *testing.B) {
						n := 0
						for b.Loop() {
							view(b, s, func(tx registry.Reader) (err error) {
								_, n, err = tx.Concerned(q)
								return err
							})
						}
						b.ReportMetric(float64(n), "rows")
					})
				}
			})
		}
	}
}

// concerning stores that each partner has installed a shared pair of ours, and for one in a hundred
// whatever somebody must look at.
func concerning(tx registry.Tx, from, to int) error {
	if from == 0 {
		if err := sharedPair(tx); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		partner := benchPartner(i)
		o := registry.Offer{KeyPair: "shared", Partner: partner, At: noon, Installed: noon, Confirmed: noon}
		odd := i%100 == 0
		if odd {
			o.Installed, o.Confirmed = time.Time{}, time.Time{}
		}
		former := keyPair("former"+partner, partner, "PROD")
		former.Profile, former.State = "riskos", registry.Retired
		if err := all(tx.PutOffer(&o), tx.PutKeyPair(&former)); err != nil {
			return err
		}
		leg := registry.Leg{Owner: registry.Theirs, Partner: partner, Profile: "riskos", Environment: "PROD"}
		n := registry.Renewal{ID: "n-" + partner, Leg: leg, Replaces: benchCertificate(i, 1),
			Step: registry.RenewalAsked, Due: noon, Created: noon}
		if i%10 != 0 {
			n.Step, n.Closed = registry.RenewalDone, noon
		}
		if err := tx.PutRenewal(&n); err != nil {
			return err
		}
		if !odd {
			continue
		}
		if err := oddLane(tx, partner, i); err != nil {
			return err
		}
	}
	return nil
}

func sharedPair(tx registry.Tx) error {
	k := keyPair("shared", "", "PROD")
	k.Profile, k.State = "riskos", registry.Active
	return tx.PutKeyPair(&k)
}

// oddLane adds what somebody must look at to the lane of a partner.
func oddLane(tx registry.Tx, partner string, i int) error {
	e, err := tx.Environment(partner, "PROD")
	if err != nil {
		return err
	}
	e.Contacts, e.Sealing, e.SenderAuth = nil, sealane.SealingOptional, sealane.SenderUnauthenticated
	e.AcceptRSAOAEP = "their library is old"
	if err := tx.PutEnvironment(&e); err != nil {
		return err
	}
	alarm := &registry.Alarm{At: noon, From: partner, By: "ada", What: "its private key came"}
	own := keyPair("own"+partner, partner, "PROD")
	own.Profile, own.State, own.Alarm = "riskos", registry.Staged, alarm
	if err := tx.PutKeyPair(&own); err != nil {
		return err
	}
	for n, state := range []registry.State{registry.Received, registry.Active} {
		c := certificate(partner+strconv.Itoa(n), registry.Theirs, partner, "PROD")
		c.Profile, c.State, c.NotAfter, c.Created, c.Alarm = "riskos", state, noon.AddDate(0, 0, i%75), noon, alarm
		c.Provenance.Waivers = []registry.Waiver{{Rule: "key size", Reason: "until June", Asked: "ada", At: noon}}
		c.Provenance.Mismatches = []registry.Mismatch{{At: noon, By: "ada", What: "the checksum"}}
		if err := tx.PutCertificate(&c); err != nil {
			return err
		}
	}
	return nil
}

// Each concern has an index that has only its rows, or is found by those of the lane.
func TestConcernPlans(t *testing.T) {
	indexes := map[registry.Concern][]string{
		registry.ConcernEnds:            {"certificate_ends"},
		registry.ConcernIncoming:        {"certificate_came"},
		registry.ConcernOurAlarm:        {"key_pair_alarmed"},
		registry.ConcernTheirAlarm:      {"certificate_alarmed"},
		registry.ConcernMismatch:        {"certificate_mismatched"},
		registry.ConcernWaiver:          {"certificate_waived"},
		registry.ConcernNoOurs:          {"key_pair_active"},
		registry.ConcernNoTheirs:        {"certificate_active"},
		registry.ConcernNoContact:       {"environment_contacts"},
		registry.ConcernOptional:        {"environment_optional"},
		registry.ConcernUnauthenticated: {"environment_unauthenticated"},
		registry.ConcernSHA1:            {"environment_sha1"},
		registry.ConcernOffer:           {"offer_open"},
		registry.ConcernRenewal:         {"renewal_due"},
	}
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error { return all(fill(tx, 0, 3000), concerning(tx, 0, 3000)) })
		if strings.HasPrefix(address, "postgres") {
			if _, err := raw(t, address).ExecContext(t.Context(), "VACUUM ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range concernQueries() {
			rows, count, err := s.ConcernPlans(t.Context(), q)
			if err != nil {
				t.Fatal(q.Concern, err)
			}
			for _, index := range indexes[q.Concern] {
				// PostgreSQL counts lanes without a contact by reading all lanes, which are short rows.
				counts := strings.Contains(count, index) ||
					q.Concern == registry.ConcernNoContact && strings.HasPrefix(address, "postgres")
				if !strings.Contains(rows, index) || !counts {
					t.Errorf("%s is not answered by %s:\n%s\n--- their number:\n%s", q.Concern, index, rows, count)
				}
			}
		}
	})
}
