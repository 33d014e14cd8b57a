package registry_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// A row that was damaged when the lanes were saved is no longer counted when it is repaired and its partner is read
// again.
func TestDamagedRowsOfSavedLanes(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		_, k := twoLanes(t, s)
		db, ctx, reader := behind(t, address), t.Context(), s.Registry().Lanes()
		repair := db.swap("key_pair", "spki", k.ID, []byte("junk"))
		before, err := reader.Read(ctx, time.Now())
		must(t, err)
		var file bytes.Buffer
		must(t, reader.Save(&file, before, time.Now()))
		saved, _, err := reader.Load(&file)
		must(t, err)
		if rows := saved.Damaged(); len(rows) != 1 || rows[0].ID != k.ID {
			t.Errorf("damaged are %v", rows)
		}
		repair()
		must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "x/y"},
			func(tx registry.Tx, _ *registry.Entry) error {
				e, err := tx.Environment("acme", "SANDBOX")
				if err != nil {
					return err
				}
				e.URL = "https://acme.example"
				return tx.PutEnvironment(&e)
			}))
		next, extent, err := reader.Refresh(ctx, saved, time.Now())
		must(t, err)
		if rows := next.Damaged(); len(rows) > 0 || extent.Whole {
			t.Errorf("damaged are %v, read were %+v", rows, extent)
		}
	})
}
