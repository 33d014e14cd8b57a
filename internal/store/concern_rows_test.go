package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// concernRows stores a row of each concern, and others that are none.
func concernRows(tx registry.Tx) error {
	alarm := &registry.Alarm{At: noon, From: "acme", By: "ada", What: "its private key came"}
	one := func(id string, state registry.State, change func(*registry.Certificate)) error {
		c := certificate(id, registry.Theirs, "acme", "PROD")
		c.State, c.Provenance.Waivers, c.Provenance.Mismatches = state, nil, nil
		change(&c)
		return tx.PutCertificate(&c)
	}
	ends := func(days int) func(*registry.Certificate) {
		return func(c *registry.Certificate) { c.NotAfter = noon.AddDate(0, 0, days) }
	}
	pair := func(id, of string, state registry.State, a *registry.Alarm) error {
		k := keyPair(id, of, "PROD")
		k.State, k.Alarm = state, a
		return tx.PutKeyPair(&k)
	}
	renewal := func(id, of, successor string, change func(*registry.Renewal)) error {
		n := registry.Renewal{ID: id, Leg: registry.Leg{Owner: registry.Theirs, Partner: of, Profile: "riskos",
			Environment: "PROD"}, Replaces: "ends", Successor: successor, Step: registry.RenewalAsked, Created: noon}
		change(&n)
		return tx.PutRenewal(&n)
	}
	bare := func(id string) error {
		p, e := partner(id), environment(id, "PROD")
		p.Profile, p.Side = "riskos", sealane.ServerSide
		e.Contacts, e.Sealing, e.SenderAuth = nil, sealane.SealingOptional, sealane.SenderUnauthenticated
		e.AcceptRSAOAEP = ""
		if id == "archived" {
			p.Archived = noon
		}
		return all(tx.PutPartner(&p), tx.PutEnvironment(&e))
	}
	return all(agreement(tx, "acme", "PROD"), bare("bare"), bare("archived"),
		one("ends", registry.Active, ends(50)), one("ended", registry.Staged, ends(-2)),
		one("late", registry.Active, ends(90)), one("retiring", registry.Retiring, ends(10)),
		one("came", registry.Received, ends(400)), one("renews", registry.Approved, ends(400)),
		one("doubted", registry.Retiring, func(c *registry.Certificate) { c.Alarm = alarm }),
		one("revoked", registry.Compromised, func(c *registry.Certificate) { c.Alarm = alarm }),
		one("waived", registry.Active, func(c *registry.Certificate) {
			c.Provenance.Waivers = []registry.Waiver{{Rule: "key size", At: noon}}
		}),
		one("wrong", registry.Matched, func(c *registry.Certificate) {
			c.Provenance.Mismatches = []registry.Mismatch{{At: noon, By: "ada", What: "00"}}
		}),
		pair("shared", "", registry.Active, nil), pair("own", "acme", registry.Staged, alarm),
		pair("old", "acme", registry.Retired, alarm),
		tx.PutOffer(&registry.Offer{KeyPair: "own", Partner: "acme", At: noon}),
		tx.PutOffer(&registry.Offer{KeyPair: "old", Partner: "acme", At: noon}),
		tx.PutOffer(&registry.Offer{KeyPair: "shared", Partner: "acme", At: noon, Confirmed: noon}),
		renewal("n2", "acme", "renews", func(n *registry.Renewal) { n.Due = noon.AddDate(0, 0, -9) }),
		renewal("n1", "bare", "", func(n *registry.Renewal) { n.Due = noon.AddDate(0, 0, -10) }),
		renewal("n3", "acme", "", func(n *registry.Renewal) { n.Step, n.Closed = registry.RenewalDone, noon }),
	)
}

// wantConcerns are the rows of each concern, in their order.
var wantConcerns = map[registry.Concern]string{
	registry.ConcernEnds:     "ended ends",
	registry.ConcernIncoming: "came wrong", registry.ConcernTheirAlarm: "doubted", registry.ConcernOurAlarm: "own",
	registry.ConcernMismatch: "wrong", registry.ConcernWaiver: "waived", registry.ConcernNoOurs: "/bare/PROD",
	registry.ConcernNoTheirs: "/bare/PROD", registry.ConcernNoContact: "/bare/PROD",
	registry.ConcernOptional: "/bare/PROD", registry.ConcernUnauthenticated: "/bare/PROD",
	registry.ConcernSHA1: "/acme/PROD", registry.ConcernOffer: "own", registry.ConcernRenewal: "n1 n2",
}

func concernsIn(t *testing.T, s *store.Store) map[registry.Concern]string {
	t.Helper()
	got := map[registry.Concern]string{}
	view(t, s, func(tx registry.Reader) error {
		for _, q := range concernQueries() {
			rows, n, err := tx.Concerned(q)
			if err != nil || n != len(rows) {
				t.Fatal(q.Concern, n, rows, err)
			}
			got[q.Concern] = ids(rows, func(c registry.Concerned) string {
				if c.ID == "" {
					return "/" + c.Partner + "/" + c.Environment
				}
				return c.ID
			})
		}
		return nil
	})
	return got
}

// Each concern finds its rows, the most urgent first, those of one partner, and how many there are.
func TestConcerns(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, concernRows)
		for concern, got := range concernsIn(t, s) {
			if want := wantConcerns[concern]; got != want {
				t.Errorf("%s: %q, want %q", concern, got, want)
			}
		}
		view(t, s, func(tx registry.Reader) error {
			for _, q := range concernQueries() {
				q.Partner, q.Limit = "acme", 1
				rows, n, err := tx.Concerned(q)
				if err != nil || len(rows) > 1 || n < len(rows) {
					t.Error(q.Concern, rows, n, err)
				}
				if strings.HasPrefix(wantConcerns[q.Concern], "/bare") != (n == 0) {
					t.Errorf("%s of acme: %d rows", q.Concern, n)
				}
			}
			_, _, err := tx.Concerned(registry.ConcernQuery{Concern: "none"})
			if err == nil {
				t.Error("an unknown concern was found")
			}
			return nil
		})
	})
}

// What a program of the version before stores is found: it does not know the columns.
func TestConcernsOfOlderProgram(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, concernRows)
		db := raw(t, address)
		for _, statement := range []string{
			"UPDATE environment SET contacts = 3, lead = 75, version = version + 1",
			"UPDATE key_pair SET alarmed = 0, version = version + 1",
			"UPDATE certificate SET came = 0, alarmed = 0, mismatched = 0, waived = 0, ends = 0",
			"UPDATE certificate SET version = version + 1",
			"UPDATE renewal SET due = 0, version = version + 1",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		for concern, got := range concernsIn(t, s) {
			for _, want := range strings.Fields(wantConcerns[concern]) {
				if !slices.Contains(strings.Fields(got), want) {
					t.Errorf("%s lacks %s: %q", concern, want, got)
				}
			}
		}
		view(t, s, func(tx registry.Reader) error {
			for row, err := range tx.Rows() {
				if err != nil {
					t.Errorf("%T: %v", row, err)
				}
			}
			return nil
		})
	})
}

// A backup of version 11 is restored with all that this program would have put into its columns.
func TestConcernsOfVersion11(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, folder := open(t, databases[0].address(t)), t.TempDir()
		update(t, s, concernRows)
		update(t, s, func(tx registry.Tx) error {
			for i := range 600 {
				c := certificate(fmt.Sprint("more", i), registry.Theirs, "acme", "PROD")
				c.NotAfter = noon.Add(time.Duration(i) * time.Hour)
				if err := tx.PutCertificate(&c); err != nil {
					return err
				}
			}
			return nil
		})
		now, old, again := filepath.Join(folder, "now"), filepath.Join(folder, "old"), filepath.Join(folder, "again")
		if err := s.Backup(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(old, asVersion(t, 11, read(t, now)), 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := store.Restore(t.Context(), address, old, store.Options{}); err != nil || sum.Version != 11 {
			t.Fatal(sum, err)
		}
		if err := open(t, address).Backup(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, again), read(t, now)) {
			t.Error("the restored registry has other columns than the one of the backup")
		}
	})
}
