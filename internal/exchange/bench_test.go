package exchange_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/store/pgtest"
)

// BenchmarkImport is what a table's rows cost, each a partner of its own with an
// environment, a contact, and a certificate with its checksum: five changes. The
// comparison of keys, which grows with the registry, is BenchmarkSharedPrimes.
func BenchmarkImport(b *testing.B) {
	const rows = 200
	dir := b.TempDir()
	table := "partner,profile,side,environment,sealing,contact_email,certificate,sha256\n"
	for i := range rows {
		name := fmt.Sprintf("partner-%03d", i)
		file := made(b, fresh(b, name))
		sum := sha256.Sum256(file)
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			b.Fatal(err)
		}
		table += strings.Join([]string{name, "rdx", "client", "STAG", "required", "keys@partner.example", name,
			hexSum(sum[:])}, ",") + "\n"
	}
	path := filepath.Join(dir, "table.csv")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, address := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(b.TempDir(), "registry.db") },
		"postgres": func() string { return pgtest.URL(b) },
	} {
		b.Run("db="+name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				h := newCompany(b, address())
				b.StartTimer()
				for r, err := range h.anna.ImportCSV(b.Context(), path, false) {
					if err != nil || r.Error != "" || len(r.Done) != 5 {
						b.Fatalf("%+v, %v", r, err)
					}
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N)/rows, "ms/row")
		})
	}
}
