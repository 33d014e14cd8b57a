package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Pages of certificates can be in the order in which they were stored first. A later change of a
// certificate, and those that come meanwhile, leave the order of the others as it is.
func TestOrderOfArrival(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		var want []string // by record, and then by identity
		for change := range 4 {
			last := fmt.Sprint("c", 9-change)
			ids := []string{last + "b", fmt.Sprint("c", change, "a"), last + "a"}
			must(t, s.Update(t.Context(), func(tx registry.Tx) error {
				if change == 0 {
					if err := agreement(tx, "acme", "PROD"); err != nil {
						return err
					}
				}
				for _, id := range ids {
					c := certificate(id, registry.Theirs, "acme", "PROD")
					if err := tx.PutCertificate(&c); err != nil {
						return err
					}
				}
				return audit.Write(tx, audit.Record{Time: noon, Actor: "ada", Action: "a", Subject: "b"})
			}))
			slices.Sort(ids)
			want = append(want, ids...)
		}
		must(t, s.Update(t.Context(), func(tx registry.Tx) error {
			c, err := tx.Certificate(want[1])
			if err != nil {
				return err
			}
			return tx.PutCertificate(&c)
		}))
		for _, limit := range []int{1, 2, 3, 5, 12, 100} {
			var got []string
			for after := (registry.Arrival{}); ; {
				q := registry.CertificateQuery{Arrived: &registry.Stretch{After: after}}
				q.Limit = limit
				var end registry.Arrival
				must(t, s.View(t.Context(), func(tx registry.Reader) (err error) {
					end, err = tx.CertificatesEnd(q)
					return err
				}))
				if end.ID == "" {
					break
				}
				q.Arrived.Until, q.Limit = end, 1000
				for _, q.Brief = range []bool{true, false} {
					var page []registry.Certificate
					must(t, s.View(t.Context(), func(tx registry.Reader) (err error) {
						page, err = tx.Certificates(q)
						return err
					}))
					of := ids(page, func(c registry.Certificate) string { return c.ID })
					if from := len(got); q.Brief {
						got = append(got, strings.Fields(of)...)
					} else if brief := strings.Join(got[from-len(page):], " "); brief != of {
						t.Errorf("pages of %d: %q and %q", limit, brief, of)
					}
				}
				after = end
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d:\n%q, want\n%q", limit, got, want)
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
