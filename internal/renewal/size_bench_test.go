package renewal_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"

	"github.com/sealane/sealane/internal/store/pgtest"
)

// BenchmarkNotices measures passes over 100,000 active certificates of as many partners, which end in 130 to 729
// days: with nothing due; 50 days later, when 5,700 partners are asked for their contacts; after that; with 5,000
// renewals that have a notice which is due; and with 10,000 more of partners without a contact.
func BenchmarkNotices(b *testing.B) {
	const partners, due, without = 100_000, 5_000, 10_000
	for _, db := range []struct {
		name    string
		address func() string
	}{
		{"sqlite", func() string { return "sqlite:" + filepath.Join(b.TempDir(), "registry.db") }},
		{"postgres", func() string { return pgtest.URL(b) }},
	} {
		b.Run(db.name, func(b *testing.B) {
			address := db.address()
			h := newCompany(b, address)
			h.schedule.Operations = []string{"operations@company.example"}
			fill := func(from, to int, one func(tx registry.Tx, i int) error) {
				for at := from; at < to; at += 5_000 {
					h.must(h.Store.Update(b.Context(), func(tx registry.Tx) (err error) {
						for i := at; i < at+5_000 && err == nil; i++ {
							err = one(tx, i)
						}
						return err
					}))
				}
			}
			fill(0, partners, func(tx registry.Tx, i int) error { return h.filled(tx, i, 130+i%600, true) })
			h.analyze(address)
			h.passes(b, "idle", 0)
			h.now = h.now.AddDate(0, 0, 50)
			h.pass1(b, "contacts", 5_700)
			h.passes(b, "idle after contacts", 0)
			open := func(tx registry.Tx, i int) error {
				if err := h.filled(tx, i, 60, i < partners+due); err != nil {
					return err
				}
				return h.opened(tx, i)
			}
			fill(partners, partners+due, open)
			h.analyze(address)
			h.pass1(b, "5000 due", due)
			fill(partners+due, partners+due+without, open)
			h.pass1(b, "10000 without contact", without)
			h.passes(b, "open, without contact", 0)
		})
	}
}

// analyze makes the statistics of PostgreSQL that its server makes by itself a minute later.
func (h *company) analyze(address string) {
	if !strings.HasPrefix(address, "postgres") {
		return
	}
	db, err := sql.Open("pgx", address)
	h.must(err)
	defer db.Close()
	_, err = db.ExecContext(h.t.Context(), "ANALYZE")
	h.must(err)
}

// pass1 measures one pass that plans notices, and the memory that it needs more than before.
func (h *company) pass1(b *testing.B, name string, atLeast int) {
	b.Run(name, func(b *testing.B) {
		idle, end, peak := heap(), make(chan struct{}), make(chan int64)
		go func() {
			most := idle
			for tick := time.NewTicker(5 * time.Millisecond); ; {
				select {
				case <-end:
					peak <- most
					return
				case <-tick.C:
					most = max(most, inUse())
				}
			}
		}()
		began := time.Now()
		report, err := h.schedule.Pass(b.Context())
		took := time.Since(began)
		close(end)
		h.must(err)
		if report.Notices < atLeast {
			b.Fatalf("%d notices, want %d", report.Notices, atLeast)
		}
		for b.Loop() {
		}
		b.ReportMetric(float64(report.Notices), "notices")
		b.ReportMetric(float64(took.Milliseconds()), "ms")
		b.ReportMetric(float64(<-peak-idle)/(1<<20), "MiB")
		b.ReportMetric(0, "ns/op")
	})
}

// passes measures passes that plan a number of notices.
func (h *company) passes(b *testing.B, name string, want int) {
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			report, err := h.schedule.Pass(b.Context())
			h.must(err)
			if report.Notices != want {
				b.Fatalf("%d notices", report.Notices)
			}
		}
	})
}

func heap() int64 {
	runtime.GC()
	return inUse()
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// filled stores a partner with an active certificate that ends in some days.
func (h *company) filled(tx registry.Tx, i, days int, contact bool) error {
	partner := fmt.Sprintf("partner-%06d", i)
	p := registry.Partner{ID: partner, Name: partner, Profile: "riskos", Side: sealane.ServerSide, Created: h.now}
	env := registry.Environment{
		Partner: partner, Name: "PROD", Sealing: sealane.SealingRequired, Created: h.now, MailFrom: "keys@us.example",
	}
	if contact {
		env.Contacts = []registry.Contact{{Role: registry.Primary, Name: "K", Email: "keys@" + partner + ".example"}}
	}
	sum := sha256.Sum256([]byte(partner))
	c := registry.Certificate{
		ID: fmt.Sprintf("c-%06d", i), Owner: registry.Theirs, Partner: partner, Profile: "riskos", Environment: "PROD",
		State: registry.Active, CommonName: partner + ".example", Serial: fmt.Sprintf("%x", i+1),
		NotBefore: h.now.AddDate(0, 0, days-730), NotAfter: h.now.AddDate(0, 0, days), Bits: 2048, SHA256: sum[:],
		SPKISHA256: sum[:], SPKI: sum[:], DER: sum[:], Created: h.now.AddDate(0, 0, days-730), Changed: h.now,
	}
	if err := tx.PutPartner(&p); err != nil {
		return err
	}
	if err := tx.PutEnvironment(&env); err != nil {
		return err
	}
	return tx.PutCertificate(&c)
}

// opened stores the renewal of a certificate that filled has stored.
func (h *company) opened(tx registry.Tx, i int) error {
	partner := fmt.Sprintf("partner-%06d", i)
	n := registry.Renewal{
		ID: fmt.Sprintf("n-%06d", i), Replaces: fmt.Sprintf("c-%06d", i), Step: registry.RenewalDue, Created: h.now,
		Due: h.now, RespondBy: h.now.AddDate(0, 0, 60-registry.RespondDays),
		Leg: registry.Leg{
			Owner: registry.Theirs, Partner: partner, Profile: "riskos", Environment: "PROD",
		},
	}
	return tx.PutRenewal(&n)
}
