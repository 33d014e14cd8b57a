package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/keyring"
)

// BenchmarkRefresh is what a serving program does every second among 100,000 partners: it asks for the
// version, reads the changes of one partner or of a hundred, as a bulk import makes them, or reads all.
// The registry takes minutes to fill.
func BenchmarkRefresh(b *testing.B) {
	const partners = 100_000
	for _, db := range []struct {
		name    string
		address func(testing.TB) string
	}{
		{"sqlite", func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") }},
		{"postgres", pgtest.URL},
	} {
		b.Run("db="+db.name, func(b *testing.B) {
			s, _ := founded(b, db.address(b))
			ctx, many := b.Context(), s.WithReason("measured")
			for from := 0; from < partners; from += 2000 {
				must(b, s.Registry().Store.Update(ctx,
					func(tx registry.Tx) error { return fill(s.Registry(), tx, from, from+2000) }))
			}
			meddled.Store(b.Name(), 1000) // they have no records
			unsealed := 0
			reader := s.Registry().Lanes()
			reader.Open = func(lanes.KeyPair) (keyring.Private, error) { unsealed++; return nil, nil }
			now, err := reader.Read(ctx, time.Now())
			must(b, err)
			change := func(n int) {
				for i := range n {
					must(b, many.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "x/y"},
						func(tx registry.Tx, _ *registry.Entry) error {
							e, err := tx.Environment(fmt.Sprintf("partner-%06d", i*997), "PROD")
							if err != nil {
								return err
							}
							e.URL = fmt.Sprintf("https://h%d.example", time.Now().UnixNano())
							return tx.PutEnvironment(&e)
						}))
				}
			}
			b.Run("version", func(b *testing.B) {
				repeat(b, func() {
					_, err := reader.Store.Version(ctx)
					must(b, err)
				})
			})
			for _, n := range []int{1, 100} {
				b.Run(fmt.Sprintf("changes=%d", n), func(b *testing.B) {
					used, steps := time.Duration(0), 0
					for b.Loop() {
						b.StopTimer()
						change(n)
						before := processor()
						b.StartTimer()
						next, extent, err := reader.Refresh(context.Background(), now, time.Now())
						used += processor() - before
						steps++
						if must(b, err); extent.Whole || len(extent.Changed.Partners) != n {
							b.Fatalf("%+v", extent)
						}
						now = next
					}
					b.ReportMetric(float64(used.Microseconds())/1000/float64(steps), "processor-ms/op")
				})
			}
			b.Run("all", func(b *testing.B) {
				repeat(b, func() {
					next, missed, err := reader.Check(ctx, now, time.Now())
					if must(b, err); len(missed) > 0 {
						b.Fatal(missed)
					}
					now = next
				})
			})
			b.ReportMetric(float64(unsealed), "unsealed")
		})
	}
}
