package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// BenchmarkSize is what one partner's step costs among many partners: each has an environment,
// an API key, and three certificates of which two are in use, and the audit log has eight records
// for each. The larger registry takes minutes to fill.
func BenchmarkSize(b *testing.B) {
	for _, db := range []struct {
		name    string
		address func(testing.TB) string
	}{
		{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") }},
		{"postgres", pgtest.URL},
	} {
		for _, partners := range []int{5_000, 50_000} {
			b.Run(fmt.Sprintf("db=%s-partners=%d", db.name, partners), func(b *testing.B) {
				s := sized(b, db.address(b), partners)
				b.Run("preflight", s.preflight)
				b.Run("receive", s.receive)
				b.Run("approve", s.approve)
				b.Run("inventory", s.inventory)
				b.Run("snapshot", s.snapshot)
				b.Run("audit verify", s.verify)
				b.Run("audit verify since", s.verifySince)
				b.Run("verify rows", s.verifyRows)
			})
		}
	}
}

// size is a registry with many partners, and one among them that something is done with.
type size struct {
	*registry.Session
	files    [][]byte // certificates that have not come in yet
	received []registry.Certificate
	verified audit.Head
	rows     int
}

const maxSteps = 12 // how often one step can be measured

func sized(b *testing.B, address string, partners int) *size {
	b.Helper()
	s, _ := founded(b, address)
	twoLanes(b, s)
	ctx, many := b.Context(), s.WithReason("too many keys")
	const batch = 500
	for from := 0; from < partners; from += batch {
		must(b, many.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "many/partners"},
			func(tx registry.Tx, _ *registry.Entry) error { return fill(s.Registry(), tx, from, from+batch) }))
		must(b, s.Registry().Store.Update(ctx, func(tx registry.Tx) error { return records(tx, 8*batch) }))
	}
	meddled.Store(b.Name(), 1) // records says of a setting what is not so
	z := &size{Session: s}
	for range maxSteps {
		key, err := cert.GenerateKey(2048)
		must(b, err)
		leaf, _ := issued(b, key.Public(), nil)
		z.files = append(z.files, cert.EncodePEM(leaf))
	}
	return z
}

// records adds records as changes of one row have them.
func records(tx registry.Tx, n int) error {
	after := []byte(fmt.Sprintf(`{"rows":{"setting/measured":{"sha256":"%064d"}},"note":"%0300d"}`, 1, 2))
	for range n {
		if err := audit.Write(tx, audit.Record{Time: time.Now(), Actor: "anna", Action: "exchange.confirm",
			Subject: "certificate/c-1", Partner: "acme", Environment: "PROD", After: after}); err != nil {
			return err
		}
	}
	return nil
}

var measured = lanes.Name{Partner: "acme", Environment: "SANDBOX"}

// repeat measures a step: the time, and the processor time of this program, user and system.
func repeat(b *testing.B, step func()) {
	start, i := processor(), 0
	for ; b.Loop(); i++ {
		step()
	}
	b.ReportMetric(float64((processor()-start).Microseconds())/1000/float64(i), "processor-ms/op")
}

func (z *size) preflight(b *testing.B) {
	repeat(b, func() {
		if _, ready, err := exchange.Preflight(b.Context(), &z.Viewer, measured); err != nil || !ready {
			b.Fatal(ready, err)
		}
	})
}

func (z *size) receive(b *testing.B) {
	x := exchange.New(z.Session)
	repeat(b, func() {
		if len(z.files) == 0 {
			b.Fatalf("measure at most %d times: -benchtime 5x", maxSteps)
		}
		c, _, err := x.Receive(
			b.Context(),
			exchange.Incoming{Partner: "acme", Environment: "SANDBOX", Data: z.files[0]},
		)
		must(b, err)
		z.files, z.received = z.files[1:], append(z.received, c)
	})
}

func (z *size) approve(b *testing.B) {
	x := exchange.New(z.Session)
	for _, c := range z.received {
		_, err := x.MatchChecksum(b.Context(), exchange.Comparison{Certificate: c.ID,
			Checksum: fmt.Sprintf("%x", c.SHA256)})
		must(b, err)
	}
	repeat(b, func() {
		if len(z.received) == 0 {
			b.Fatal("receive as many first")
		}
		must(b, x.Approve(b.Context(), z.received[0].ID, exchange.Approval{}))
		z.received = z.received[1:]
	})
}

func (z *size) inventory(b *testing.B) {
	repeat(b, func() {
		z.rows = 0
		for row, err := range z.Registry().Inventory(b.Context(), registry.CertificateQuery{}) {
			must(b, err)
			if row.Damaged != "" {
				b.Fatal(row.Damaged)
			}
			z.rows++
		}
	})
	b.ReportMetric(float64(z.rows), "rows")
}

func (z *size) snapshot(b *testing.B) {
	repeat(b, func() {
		s, err := z.Registry().Snapshot(b.Context())
		if err != nil || len(s.Damaged()) > 0 {
			b.Fatal(s.Damaged(), err)
		}
	})
}

func (z *size) verify(b *testing.B) {
	z.verifies(
		b,
		func(ctx context.Context, tx registry.Reader) (audit.Report, error) { return audit.Verify(ctx, tx, nil) },
	)
}

func (z *size) verifySince(b *testing.B) {
	must(b, z.View(b.Context(), func(tx registry.Reader) (err error) {
		z.verified, err = tx.AuditHead()
		return err
	}))
	must(b, z.Registry().Store.Update(b.Context(), func(tx registry.Tx) error { return records(tx, 1000) }))
	z.verifies(b, func(ctx context.Context, tx registry.Reader) (audit.Report, error) {
		return audit.VerifySince(ctx, tx, z.verified, nil)
	})
}

func (z *size) verifies(b *testing.B, verify func(context.Context, registry.Reader) (audit.Report, error)) {
	repeat(b, func() {
		must(b, z.View(b.Context(), func(tx registry.Reader) error {
			report, err := verify(b.Context(), tx)
			if !report.Holds {
				b.Fatal(report)
			}
			b.ReportMetric(float64(report.Records), "records")
			return err
		}))
	})
}

func (z *size) verifyRows(b *testing.B) {
	repeat(b, func() {
		report, err := z.Registry().VerifyRows(b.Context())
		must(b, err)
		if len(report.Findings) != 1 { // what records says of a setting is not so
			b.Fatal(report)
		}
	})
}
