package store_test

import (
	"fmt"
	"maps"
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

// Places that can't be read end no page and hold none up: those between others are rows of the pages,
// and those behind all others are the error of the last page.
func TestPlacesThatCannotBeRead(t *testing.T) {
	address := databases[0].address(t) // PostgreSQL has types
	s := open(t, address)
	for change := range 6 {
		update(t, s, func(tx registry.Tx) error {
			if change == 0 {
				if err := agreement(tx, "acme", "PROD"); err != nil {
					return err
				}
			}
			for _, id := range []string{fmt.Sprint("c", change, "a"), fmt.Sprint("c", change, "b")} {
				c := certificate(id, registry.Theirs, "acme", "PROD")
				if err := tx.PutCertificate(&c); err != nil {
					return err
				}
			}
			return audit.Write(tx, audit.Record{Time: noon, Actor: "ada", Action: "a", Subject: "b"})
		})
	}
	for _, edit := range []string{
		"added = 'x' WHERE id IN ('c0a', 'c4b')", "id = CAST(id AS BLOB) WHERE id IN ('c2a', 'c5b')",
	} {
		if _, err := raw(t, address).ExecContext(t.Context(), "UPDATE certificate SET "+edit); err != nil {
			t.Fatal(err)
		}
	}
	const sound, damaged = "c0b c1a c1b c2b c3a c3b c4a c5a", `"c0a" "c2a" "c4b" "c5b"`
	for _, limit := range []int{2, 3, 5, 100} {
		var got []string
		named := map[string]bool{}
		name := func(err error) error {
			_, rows, err := registry.Readable([]int(nil), err)
			for _, row := range rows {
				named[strings.TrimPrefix(row.Row, "certificate ")] = true
			}
			return err
		}
		for after, pages := (registry.Arrival{}), 0; ; pages++ {
			if pages > 12 {
				t.Fatalf("pages of %d: there is no end: %q", limit, got)
			}
			q := registry.CertificateQuery{Arrived: &registry.Stretch{After: after}, Brief: true}
			q.Limit = limit
			view(t, s, func(tx registry.Reader) (err error) {
				after, err = tx.CertificatesEnd(q)
				return name(err)
			})
			if after.ID == "" {
				break
			}
			q.Arrived.Until = after
			view(t, s, func(tx registry.Reader) error {
				page, err := tx.Certificates(q)
				for _, c := range page {
					got = append(got, c.ID)
				}
				return name(err)
			})
		}
		all := slices.Sorted(maps.Keys(named))
		if strings.Join(got, " ") != sound || strings.Join(all, " ") != damaged {
			t.Errorf("pages of %d: %q, want %s; damaged %v, want %s", limit, got, sound, all, damaged)
		}
	}
	err := s.View(t.Context(), func(tx registry.Reader) error {
		after := registry.Arrival{Added: 2, ID: "c2b"}
		q := registry.CertificateQuery{Arrived: &registry.Stretch{After: after}}
		q.Limit = 1
		_, err := tx.CertificatesEnd(q)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), `certificate "c2a"`) {
		t.Errorf("a page of damaged rows, with sound ones behind it: %v", err)
	}
}
