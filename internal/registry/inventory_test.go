package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// The inventory of many certificates has each once, in the order in which they came or, for a part
// of them, in that of their identities. What a row costs is bounded: there may be very many.
func TestInventoryOfMany(t *testing.T) {
	const partners, perRow = 700, 44 // allocations
	s, ctx := openSession(t), t.Context()
	for from := 0; from < partners; from += 100 {
		must(t, s.WithReason("too many keys").Change(ctx, registry.Entry{
			Action: registry.ActionBackup, Subject: "many/partners",
		}, func(tx registry.Tx, _ *registry.Entry) error { return fill(s.Registry(), tx, from, from+100) }))
	}
	read := func(q registry.CertificateQuery) (rows []registry.InventoryRow) {
		for row, err := range s.Registry().Inventory(ctx, q) {
			must(t, err)
			rows = append(rows, row)
		}
		return rows
	}
	inOrder := func(a, b registry.InventoryRow) int { return strings.Compare(a.ID, b.ID) }
	all := read(registry.CertificateQuery{})
	arrived := slices.IsSortedFunc(all, func(a, b registry.InventoryRow) int {
		return strings.Compare(a.Partner[:len(a.Partner)-2], b.Partner[:len(b.Partner)-2]) // of one change
	})
	if len(all) != 3*partners || !arrived {
		t.Errorf("%d rows, in the order in which they came: %t", len(all), arrived)
	}
	active := read(registry.CertificateQuery{States: []registry.State{registry.Active}})
	if len(active) != partners || !slices.IsSortedFunc(active, inOrder) {
		t.Errorf("%d active rows, sorted: %t", len(active), slices.IsSortedFunc(active, inOrder))
	}
	slices.SortFunc(all, inOrder)
	if unique := slices.CompactFunc(slices.Clone(all), func(a, b registry.InventoryRow) bool {
		return a.ID == b.ID
	}); len(unique) != len(all) {
		t.Errorf("%d rows are there twice", len(all)-len(unique))
	}
	allocations := testing.AllocsPerRun(2, func() {
		for _, err := range s.Registry().Inventory(ctx, registry.CertificateQuery{}) {
			must(t, err)
		}
	})
	if row := allocations / float64(len(all)); row > perRow {
		t.Errorf("%.1f allocations for each row, more than %d", row, perRow)
	} else {
		t.Logf("%.1f allocations for each row", row)
	}
}
