package exchange_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// The certificates of an old system are approved together by two people, all or none.
func TestMigrate(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		dora := h.member("dora", registry.Operator, registry.Approver)
		m := h.tableOf(dora, "p1", "p2", "p3")
		if len(m.Certificates) != 3 {
			t.Fatalf("%d certificates are in", len(m.Certificates))
		}
		h.partner("p4", "rdx", sealane.ClientSide, "PROD")
		byItself := h.takenIn(h.anna, "p4", "PROD", "migrated p4")
		record := "export of the old system of 2026-11-28, in the safe"
		wantRefused(t, "a certificate of no table", "did not come in with a table", migrate(h.anna, h.cora,
			exchange.Migration{Certificates: []string{m.Certificates[0], byItself.ID}, Record: record}))
		wantRefused(t, "without a record", "which record", h.anna.Migrate(t.Context(), exchange.Migration{
			Certificates: m.Certificates, Record: "x",
		}))
		m.Record = record
		wantRefused(t, "by who has received them", "somebody else must approve", migrate(h.anna, dora, m))
		for _, id := range m.Certificates {
			if c := h.certificate(id); c.State == registry.Approved {
				t.Errorf("%s is approved by one person", id)
			}
		}
		h.must(migrate(h.anna, h.cora, m))
		for _, id := range m.Certificates {
			c := h.certificate(id)
			if c.State != registry.Approved || c.Provenance.ApprovedBy != "cora" ||
				!strings.Contains(c.Provenance.Change, "export of the old system") {
				t.Errorf("%s is %s, approved by %q: %q", id, c.State, c.Provenance.ApprovedBy, c.Provenance.Change)
			}
		}
	})
}

// One operator and one approver are enough: the one who asks may have imported the table, because
// the other approves.
func TestMigrateByTwoPeople(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.must(h.admin.WithReason("has left the company").RevokePerson(t.Context(), "bo"))
	m := h.tableOf(h.anna, "p1", "p2")
	m.Record = "export of the old system of 2026-11-28, in the safe"
	if err := h.anna.Migrate(t.Context(), m); err == nil {
		t.Error("it is done by one person")
	}
	h.must(migrate(h.anna, h.cora, m))
	for _, id := range m.Certificates {
		if c := h.certificate(id); c.State != registry.Approved || c.Provenance.ApprovedBy != "cora" {
			t.Errorf("%s is %s, approved by %q", id, c.State, c.Provenance.ApprovedBy)
		}
	}
}

// A lane that has or had a certificate of the partner's in use is no migration: its next one needs the
// evidence that any other does, though it comes with a table.
func TestMigrateIsForNewLanes(t *testing.T) {
	for name, end := range map[string]func(*company, string){
		"in use": func(*company, string) {},
		"retired": func(h *company, id string) {
			h.must(h.anna.WithReason("the contract ends").Retire(h.t.Context(), id, true))
		},
		"expired": func(h *company, id string) {
			h.now = h.certificate(id).NotAfter.Add(time.Second)
			h.must(h.anna.WithReason("it has expired").Retire(h.t.Context(), id, true))
			h.now = h.certificate(id).NotBefore.AddDate(0, 1, 0)
		},
		"revoked": func(h *company, id string) { h.must(h.anna.WithReason("it leaked").Revoke(h.t.Context(), id)) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
			ctx := t.Context()
			h.partner("p1", "rdx", sealane.ClientSide, "PROD")
			used := h.letIn("p1", "PROD", made(t, fresh(t, "before the migration")), "")
			end(h, used.ID)
			m := h.tableOf(h.anna, "p1", "p3")
			m.Record = "export of the old system of 2026-11-28, in the safe"
			if len(m.Certificates) != 2 {
				t.Fatalf("%d certificates are in", len(m.Certificates))
			}
			wantRefused(t, "all", "because p1 had "+used.ID+" in PROD", migrate(h.anna, h.cora, m))
			waiting, err := operation.WaitingCertificates.Do(ctx, &operation.Session{Session: h.anna.Session},
				operation.None{})
			h.must(err)
			if len(waiting) != 1 || h.certificate(waiting[0]).Partner != "p3" {
				t.Fatalf("waiting: %v", waiting)
			}
			m.Certificates = waiting
			h.must(migrate(h.anna, h.cora, m))
		})
	}
}

// Many certificates whose rows are long are approved together, though one record could not have them.
func TestMigrateOfMoreThanARecordHas(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	var partners []string
	for i := range 30 {
		partners = append(partners, fmt.Sprintf("q%02d", i))
	}
	m := h.tableOf(h.anna, partners...)
	m.Record = "export of the old system of 2026-11-28, in the safe"
	long := cert.Finding{Code: "attachment", Level: cert.Warning, Found: strings.Repeat("not used: a.txt; ", 17_000)}
	h.must(h.Store.Update(t.Context(), func(tx registry.Tx) error {
		for _, id := range m.Certificates {
			c, err := tx.Certificate(id)
			if err != nil {
				return err
			}
			c.Provenance.Findings = append(c.Provenance.Findings, long)
			if err := tx.PutCertificate(&c); err != nil {
				return err
			}
		}
		return nil
	}))
	h.meddled = len(m.Certificates)
	h.must(migrate(h.anna, h.cora, m))
	records, rows := 0, 0
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		found, err := tx.FindAudit(registry.AuditQuery{Action: registry.ActionExchangeMigrate, Limit: 100})
		for _, r := range found {
			var after struct {
				Result struct {
					Certificates []string `json:"certificates"`
				} `json:"result"`
				Rows map[string]any `json:"rows"`
			}
			h.must(json.Unmarshal(r.After, &after))
			if records == 0 && len(after.Result.Certificates) != len(m.Certificates) {
				t.Errorf("the first record names %d certificates", len(after.Result.Certificates))
			}
			records++
			for name := range after.Rows {
				if strings.HasPrefix(name, "certificate/") {
					rows++
				}
			}
		}
		return err
	}))
	if records < 2 || rows != len(m.Certificates) {
		t.Errorf("%d records have %d certificates", records, rows)
	}
	for _, id := range m.Certificates {
		if c := h.certificate(id); c.State != registry.Approved || c.Provenance.ApprovedBy != "cora" {
			t.Fatalf("%s is %s, approved by %q", id, c.State, c.Provenance.ApprovedBy)
		}
	}
}

// tableOf has somebody import a table of partners, each with a certificate for PROD, and returns the
// certificates that wait. The checksum of p2 is in the table.
func (h *company) tableOf(who member, partners ...string) (m exchange.Migration) {
	h.t.Helper()
	dir := h.t.TempDir()
	table := "partner,name,profile,side,environment,sealing,certificate,sha256\n"
	for _, partner := range partners {
		data, checksum := made(h.t, fresh(h.t, "migrated "+partner)), ""
		if partner == "p2" { // the other system has kept it
			sum := sha256.Sum256(data)
			checksum = hexSum(sum[:])
		}
		h.must(os.WriteFile(filepath.Join(dir, partner+".cer"), data, 0o600))
		table += fmt.Sprintf("%s,The %[1]s,rdx,client,PROD,required,%[1]s.cer,%s\n", partner, checksum)
	}
	path := filepath.Join(dir, "table.csv")
	h.must(os.WriteFile(path, []byte(table), 0o600))
	for row, err := range who.WithReason("the migration").ImportCSV(h.t.Context(), path, false) {
		h.must(err)
		if row.Error != "" {
			h.t.Fatalf("line %d: %s", row.Line, row.Error)
		}
	}
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		certificates, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, States: []registry.State{registry.Received, registry.Matched},
			Page: registry.Page{Limit: 1000},
		})
		for _, c := range certificates {
			m.Certificates = append(m.Certificates, c.ID)
		}
		return err
	}))
	return m
}

// migrate asks for the migration as one member and approves it as another.
func migrate(who, approver member, m exchange.Migration) error {
	ctx := context.Background()
	err := who.Migrate(ctx, m)
	needed, waits := errors.AsType[*registry.SecondPersonError](err)
	if !waits {
		return err
	}
	r, err := who.MakeRequest(ctx, needed.Request)
	if err != nil {
		return err
	}
	as, _, err := approver.ApproveRequest(ctx, r.ID)
	if err != nil {
		return err
	}
	return exchange.New(as).Migrate(ctx, m)
}
