package exchange_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// The certificates of an old system are approved together by two people, all or none.
func TestMigrate(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		dir := t.TempDir()
		table := "partner,name,profile,side,environment,sealing,certificate,sha256\n"
		for _, partner := range []string{"p1", "p2", "p3"} {
			data, checksum := made(t, fresh(t, "migrated "+partner)), ""
			if partner == "p2" { // the other system has kept its checksum
				sum := sha256.Sum256(data)
				checksum = hexSum(sum[:])
			}
			h.must(os.WriteFile(filepath.Join(dir, partner+".cer"), data, 0o600))
			table += fmt.Sprintf("%s,The %[1]s,rdx,client,PROD,required,%[1]s.cer,%s\n", partner, checksum)
		}
		h.must(os.WriteFile(filepath.Join(dir, "table.csv"), []byte(table), 0o600))
		dora := h.member("dora", registry.Operator, registry.Approver)
		for row, err := range dora.WithReason("the migration").ImportCSV(t.Context(),
			filepath.Join(dir, "table.csv"), false) {
			h.must(err)
			if row.Error != "" {
				t.Fatalf("line %d: %s", row.Line, row.Error)
			}
		}
		var m exchange.Migration
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			certificates, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs})
			for _, c := range certificates {
				m.Certificates = append(m.Certificates, c.ID)
			}
			return err
		}))
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
