package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// SQLite stores a value of any type in any column. A row of which one is of another type reads the
// same, but no search by that column finds it. So it is a finding.
func TestStorageTypesAreVerified(t *testing.T) {
	address := "sqlite:" + t.TempDir() + "/registry.db"
	s, _ := founded(t, address)
	everything(t, s)
	meddled.Store(t.Name(), 1) // the request has no record
	db, ctx := behind(t, address), t.Context()
	db.exec("INSERT INTO request (id, state, person, version, body) VALUES ('r', 'open', 'anna', 1, '{}')")
	free := []string{ // nothing is searched by these
		"body", "spki", "sealed", "binding", "value",
	}
	none := map[string]bool{}
	for _, table := range []string{"partner", "environment", "api_key", "key_pair", "offer", "certificate", "blocked",
		"request", "person", "setting"} {
		db.exec("CREATE TABLE kept AS SELECT * FROM " + table)
		types := columnsOf(t, db, table)
		if len(types) < 2 {
			t.Fatalf("%s has the columns %v", table, types)
		}
		for column, is := range types {
			if slices.Contains(free, column) {
				continue
			}
			other := "BLOB"
			if is == "BLOB" {
				other = "TEXT"
			}
			statement := fmt.Sprintf("UPDATE %s SET %s = CAST(%[2]s AS %s) WHERE %[2]s IS NOT NULL",
				table, column, other)
			result, err := db.ExecContext(ctx, statement)
			must(t, err)
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				none[table+"."+column] = true
				continue
			}
			report, err := s.Registry().VerifyRows(ctx)
			if err != nil || !slices.ContainsFunc(report.Findings, func(f registry.RowFinding) bool {
				return f.Fault == registry.RowDamaged && strings.Contains(f.Text, "its "+column+" ")
			}) {
				t.Errorf("%s: %v %s", statement, err, report)
			}
			db.exec("DELETE FROM " + table)
			db.exec("INSERT INTO " + table + " SELECT * FROM kept")
		}
		db.exec("DROP TABLE kept")
	}
	if len(none) > 3 {
		t.Errorf("columns without a value: %v", none)
	}
	rowsHold(t, s.Registry())
}

// exec runs a statement.
func (d database) exec(statement string) {
	d.t.Helper()
	if _, err := d.ExecContext(d.t.Context(), statement); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

// columnsOf returns the types of a table's columns.
func columnsOf(t *testing.T, db database, table string) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT name, type FROM pragma_table_info('"+table+"')")
	must(t, err)
	defer rows.Close()
	types := map[string]string{}
	for rows.Next() {
		var name, is string
		must(t, rows.Scan(&name, &is))
		types[name] = is
	}
	must(t, rows.Err())
	return types
}

// An empty text in place of none reads the same, but searches for what belongs to no partner miss it.
func TestEmptyTextInPlaceOfNone(t *testing.T) {
	address := "sqlite:" + t.TempDir() + "/registry.db"
	s, _ := founded(t, address)
	k, _ := everything(t, s)
	db := behind(t, address)
	db.does("UPDATE key_pair SET partner = '' WHERE id = ?", k.ID)
	report, err := s.Registry().VerifyRows(t.Context())
	must(t, err)
	if len(report.Findings) != 1 || report.Findings[0].Row != "key/"+k.ID {
		t.Error(report)
	}
	db.does("UPDATE key_pair SET partner = NULL WHERE id = ?", k.ID)
	rowsHold(t, s.Registry())
}

// A certificate whose place in the order of arrival, or whose identity, can't be read is named by the
// inventory, which has the others.
func TestInventoryOfDamagedPlaces(t *testing.T) {
	address := "sqlite:" + t.TempDir() + "/registry.db"
	s, _ := founded(t, address)
	c, _ := twoLanes(t, s)
	db, ctx := behind(t, address), t.Context()
	read := func(q registry.CertificateQuery) (sound, damaged []string) {
		t.Helper()
		for row, err := range s.Registry().Inventory(ctx, q) {
			must(t, err)
			if row.Damaged == "" {
				sound = append(sound, row.ID)
			} else {
				damaged = append(damaged, row.ID)
			}
		}
		slices.Sort(sound)
		return sound, damaged
	}
	all, damaged := read(registry.CertificateQuery{})
	if len(all) < 2 || len(damaged) != 0 || !slices.Contains(all, c.ID) {
		t.Fatal(all, damaged)
	}
	others := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return id == c.ID })
	for _, edit := range []string{"added = 'x'", "added = CAST(added AS BLOB)", "id = CAST(id AS BLOB)"} {
		db.exec("CREATE TABLE kept AS SELECT * FROM certificate")
		db.does("UPDATE certificate SET "+edit+" WHERE id = ?", c.ID)
		sound, damaged := read(registry.CertificateQuery{})
		if !slices.Equal(sound, others) || !slices.Equal(damaged, []string{c.ID}) {
			t.Errorf("%s: sound %v, want %v; damaged %v", edit, sound, others, damaged)
		}
		sound, damaged = read(registry.CertificateQuery{Environment: c.Environment})
		if named := append(sound, damaged...); len(named) != len(all) || !slices.Contains(named, c.ID) {
			t.Errorf("%s, by the environment: sound %v, damaged %v", edit, sound, damaged)
		}
		db.does("UPDATE certificate SET added = 'x'")
		if sound, damaged = read(registry.CertificateQuery{}); len(sound) != 0 || len(damaged) != len(all) {
			t.Errorf("%s, and all are damaged: sound %v, damaged %v", edit, sound, damaged)
		}
		db.exec("DELETE FROM certificate")
		db.exec("INSERT INTO certificate SELECT * FROM kept")
		db.exec("DROP TABLE kept")
	}
	rowsHold(t, s.Registry())
}
