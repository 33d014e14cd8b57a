package operation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// rows changes the rows of a registry as another program would, without records.
func rows(t *testing.T, database string, change func(registry.Tx) error) {
	t.Helper()
	db, err := store.Open(t.Context(), database, store.Options{})
	must(t, err)
	defer db.Close()
	must(t, db.Update(t.Context(), change))
}

// partner adds a partner that calls us, with an environment for tests.
func partner(t *testing.T, s *operation.Session, id string) {
	t.Helper()
	must(t, s.AddPartner(t.Context(), registry.Partner{ID: id, Name: id, Profile: "riskos", Side: sealane.ServerSide}))
	must(t, s.AddEnvironment(t.Context(), registry.Environment{Partner: id, Name: "SANDBOX",
		Sealing: sealane.SealingRequired}))
}

// keyFor makes a key pair of ours.
func keyFor(t *testing.T, s *operation.Session, partner string) operation.MadePair {
	t.Helper()
	made, err := operation.CreateKey.Do(t.Context(), s, operation.NewPair{Profile: "riskos", Partner: partner,
		Environment: "SANDBOX", Subject: cert.Template{CommonName: "keys.example", Validity: 2}})
	must(t, err)
	return made
}

func refused(t *testing.T, says string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %q", err, says)
	}
}

// Lists have pages, of which each says where the next begins, and the last that it is the last.
func TestPagesOfLists(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	for _, id := range []string{"ann", "bob", "cid"} {
		partner(t, s, id)
		keyFor(t, s, id)
	}
	for _, limit := range []int{1, 2, 3, 5} {
		var partners, keys []string
		for after := ""; ; {
			page, err := operation.ListPartners.Do(ctx, s, operation.PartnerQuery{After: after, Limit: limit})
			must(t, err)
			for _, p := range page.Partners {
				partners = append(partners, p.ID)
			}
			if after = page.More; after == "" {
				break
			}
		}
		for after := ""; ; {
			q := operation.KeyQuery{Page: operation.Page{After: after, Limit: limit}}
			page, err := operation.ListKeys.Do(ctx, s, q)
			must(t, err)
			for _, k := range page.Keys {
				keys = append(keys, k.Partner)
			}
			if after = page.More; after == "" {
				break
			}
		}
		slices.Sort(keys)
		if want := []string{"ann", "bob", "cid"}; !slices.Equal(partners, want) || !slices.Equal(keys, want) {
			t.Errorf("pages of %d: %q, %q", limit, partners, keys)
		}
	}
}

// What has ended is listed where it is asked for.
func TestListsOfWhatHasEnded(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "acme")
	partner(t, s, "gone")
	must(t, s.WithReason("the contract has ended").ArchivePartner(ctx, "gone"))
	_, err := s.AddPerson(ctx, registry.Person{ID: "olga", Roles: []registry.Role{registry.Auditor}})
	must(t, err)
	must(t, s.WithReason("has left the company").RevokePerson(ctx, "olga"))
	for _, all := range []bool{false, true} {
		partners, err := operation.ListPartners.Do(ctx, s, operation.PartnerQuery{Archived: all})
		must(t, err)
		people, err := operation.ListPeople.Do(ctx, s, operation.PeopleQuery{Revoked: all})
		must(t, err)
		if want := map[bool]int{false: 1, true: 2}[all]; len(partners.Partners) != want || len(people.People) != want {
			t.Errorf("with those that have ended %t: %d partners, %d people", all, len(partners.Partners),
				len(people.People))
		}
	}
}

// What can't be asked for is refused.
func TestQueriesRefused(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "acme")
	made := keyFor(t, s, "acme")
	inventory := func(q operation.InventoryQuery) error {
		_, err := operation.Inventory.Do(ctx, s, q)
		return err
	}
	refused(t, `state "lost" is not known`, inventory(operation.InventoryQuery{States: []operation.State{"lost"}}))
	refused(t, "-1 days are in the past", inventory(operation.InventoryQuery{EndsWithin: -1}))
	must(t, inventory(operation.InventoryQuery{States: registry.States(), EndsWithin: 1}))
	file := func(format string) error {
		_, err := operation.ExportCertificate.Do(ctx, s,
			operation.CertificateFile{ID: made.KeyPair.ID, Format: format})
		return err
	}
	refused(t, `format "jks" is not known`, file("jks"))
	refused(t, "is ours: it was not received", file("received"))
	for _, format := range []string{"pem", "der", "p7b"} {
		must(t, file(format))
	}
	for limit, says := range map[int]string{0: "1 to 1000", -1: "1 to 1000", 1001: "1 to 1000", 1: "", 1000: ""} {
		_, err := operation.ListAudit.Do(ctx, s, operation.AuditQuery{Limit: limit})
		if says != "" {
			refused(t, says, err)
		} else {
			must(t, err)
		}
	}
	for _, q := range []struct {
		text  string
		limit int
		says  string
	}{
		{"a", 0, "too short or too long"}, {strings.Repeat("a", 1001), 0, "too short or too long"},
		{"acme", 501, "1 to 500 are possible"}, {"acme", -1, "1 to 500 are possible"},
		{"ac", 500, ""}, {strings.Repeat("a", 1000), 1, ""},
	} {
		_, err := operation.Find.Do(ctx, s, operation.Search{Text: q.text, Limit: q.limit})
		if q.says != "" {
			refused(t, q.says, err)
		} else {
			must(t, err)
		}
	}
}

// The limits of an environment are removed by a word, and a burst ends with its rate.
func TestLimitsAreRemoved(t *testing.T) {
	s, _, _ := opened(t)
	partner(t, s, "acme")
	lane := operation.LaneName{Partner: "acme", Environment: "SANDBOX"}
	text := func(s string) *string { return &s }
	burst := 200
	for _, c := range []struct {
		change operation.EnvironmentChange
		want   lanes.Limits
	}{
		{operation.EnvironmentChange{Rate: text("100/s"), Burst: &burst, Failures: text("10/s")},
			lanes.Limits{Rate: 100, Burst: 200, Failures: 10}},
		{operation.EnvironmentChange{Failures: text("none")}, lanes.Limits{Rate: 100, Burst: 200}},
		{operation.EnvironmentChange{Rate: text("none")}, lanes.Limits{}},
	} {
		c.change.LaneName = lane
		changed, err := operation.SetEnvironment.Do(t.Context(), s, c.change)
		must(t, err)
		if changed.Limits != c.want {
			t.Errorf("%+v, want %+v", changed.Limits, c.want)
		}
	}
	_, err := operation.SetEnvironment.Do(t.Context(), s,
		operation.EnvironmentChange{LaneName: lane, Rate: text("many")})
	refused(t, "none removes the limit", err)
}

// A name that is not known is answered with the nearest, which may be behind many others.
func TestNearestPartner(t *testing.T) {
	s, database, _ := opened(t)
	rows(t, database, func(tx registry.Tx) error {
		for i := range 1100 {
			p := registry.Partner{ID: fmt.Sprintf("a%04d-filler-of-pages", i), Name: "A", Profile: "riskos",
				Side: sealane.ServerSide}
			if err := tx.PutPartner(&p); err != nil {
				return err
			}
		}
		p := registry.Partner{ID: "zenith", Name: "Z", Profile: "riskos", Side: sealane.ServerSide}
		return tx.PutPartner(&p)
	})
	show := func(id string) error {
		_, err := operation.ShowPartner.Do(t.Context(), s, operation.PartnerName{Partner: id})
		return err
	}
	refused(t, "not found; did you mean zenith?", show("zenit"))
	if err := show("quite-different"); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("%v", err)
	}
	if err := show(""); err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("%v", err)
	}
}

// A node that has signed off has ended, and one that has not reported itself for a while is silent.
func TestStatesOfNodes(t *testing.T) {
	s, database, _ := opened(t)
	now := time.Now()
	db, err := store.Open(t.Context(), database, store.Options{})
	must(t, err)
	defer db.Close()
	for name, n := range map[string]lanes.Node{
		"runs":   {At: now.Add(time.Hour), Record: 1},
		"silent": {At: now.Add(-time.Hour), Record: 1},
		"ended":  {At: now.Add(-time.Hour), Record: 99, Ended: now},
	} {
		n.Name, n.Process, n.Started = name, "p", now.Add(-2*time.Hour)
		_, err := db.ReportNode(t.Context(), n, false)
		must(t, err)
	}
	list, err := operation.ListNodes.Do(t.Context(), s, operation.None{})
	must(t, err)
	if len(list.Nodes) != 3 || list.Head < 2 {
		t.Fatalf("%+v", list)
	}
	for _, n := range list.Nodes {
		behind := list.Head - 1
		if n.Name == "ended" { // it knows a log that was longer
			behind = 0
		}
		if string(n.State) != n.Name || n.Behind != behind {
			t.Errorf("%s is %s, %d records behind", n.Name, n.State, n.Behind)
		}
	}
}

// A program that serves takes no other root key while it can't ask the registry which is the right
// one.
func TestRootKeyWithoutTheDatabase(t *testing.T) {
	folder := t.TempDir()
	one, other := filepath.Join(folder, "one"), filepath.Join(folder, "other")
	for _, file := range []string{one, other} {
		_, err := operation.NewRootKey(file)
		must(t, err)
	}
	config := operation.Config{Database: filepath.Join(folder, "none.db"), RootKey: "file:" + one}
	s, err := operation.OpenServing(t.Context(), config, "")
	must(t, err)
	must(t, s.UseRootKey(t.Context(), ""))
	must(t, os.Rename(other, one))
	refused(t, "there is no registry", s.UseRootKey(t.Context(), ""))
}
