package exchange_test

import (
	"errors"
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
		ctx := t.Context()
		var m exchange.Migration
		for _, partner := range []string{"p1", "p2", "p3"} {
			h.partner(partner, "rdx", sealane.ClientSide, "PROD")
			c := h.takenIn(h.anna, partner, "PROD", "migrated "+partner)
			if partner == "p2" { // whose checksum was in the table
				h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
			}
			m.Certificates = append(m.Certificates, c.ID)
		}
		wantRefused(t, "without a record", "which record", h.anna.Migrate(ctx, exchange.Migration{
			Certificates: m.Certificates, Record: "x",
		}))
		m.Record = "export of the old system of 2026-11-28, in the safe"
		needed, waits := errors.AsType[*registry.SecondPersonError](h.anna.Migrate(ctx, m))
		if !waits {
			t.Fatal("one person alone migrates")
		}
		for _, id := range m.Certificates {
			if c := h.certificate(id); c.State == registry.Approved {
				t.Errorf("%s is approved by one person", id)
			}
		}
		r, err := h.anna.MakeRequest(ctx, needed.Request)
		h.must(err)
		as, _, err := h.cora.ApproveRequest(ctx, r.ID)
		h.must(err)
		h.must(exchange.New(as).Migrate(ctx, m))
		for _, id := range m.Certificates {
			c := h.certificate(id)
			if c.State != registry.Approved || c.Provenance.ApprovedBy != "cora" ||
				!strings.Contains(c.Provenance.Change, "export of the old system") {
				t.Errorf("%s is %s, approved by %q: %q", id, c.State, c.Provenance.ApprovedBy, c.Provenance.Change)
			}
		}
	})
}
