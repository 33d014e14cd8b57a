package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// manyAudited are the records of a log.
const manyAudited = 300 // more than are read at once

func audited(t *testing.T, s *store.Store) {
	t.Helper()
	update(t, s, func(tx registry.Tx) error {
		for i := range manyAudited {
			err := audit.Write(tx, audit.Record{
				Time: noon.Add(time.Duration(i) * time.Hour), Actor: "anna", Action: "partner.add", Partner: "acme",
				Environment: "PROD", Subject: fmt.Sprint("partner/", i+1), Reason: "agreed",
				Before: []byte(`{"a":1}`), After: []byte(`{"a":2}`),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SQLite stores a value of any type in any column. A record of which one is of another type has the
// same hash, but no search finds it. So the verification names it, and reads the others.
func TestRecordsOfOtherTypesAreNamed(t *testing.T) {
	address := databases[0].address(t)
	s := open(t, address)
	audited(t, s)
	db := raw(t, address)
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("CREATE TABLE kept AS SELECT * FROM audit")
	for _, c := range []struct {
		edit, says string
		seq        int64
	}{
		{"time = CAST(time AS BLOB)", "record 2 was edited", 2},
		{"actor = CAST(actor AS BLOB)", "its actor is stored as bytes, not as a text", 2},
		{"action = CAST(action AS BLOB)", "its action is stored as bytes, not as a text", 2},
		{"subject = CAST(subject AS BLOB)", "its subject is stored as bytes, not as a text", 2},
		{"partner = CAST(partner AS BLOB)", "its partner is stored as bytes, not as a text", 2},
		{"environment = CAST(environment AS BLOB)", "its environment is stored as bytes, not as a text", 2},
		{"reason = CAST(reason AS BLOB)", "its reason is stored as bytes, not as a text", 2},
		{"before = CAST(before AS TEXT)", "its before is stored as a text, not as bytes", 2},
		{"after = CAST(after AS TEXT)", "its after is stored as a text, not as bytes", 2},
		{"previous = CAST(previous AS TEXT)", "its previous is stored as a text, not as bytes", 2},
		{"hash = CAST(hash AS TEXT)", "its hash is stored as a text, not as bytes", 2},
		{"seq = CAST(seq AS BLOB)", "record 2 is missing", 2},
		{"seq = 'x'", "record 2 is missing", 2},
		{"seq = 2.5", "its seq is stored as a fraction, not as a number", 2},
		{"seq = CAST(seq AS BLOB)", `a record of "partner/300", behind record 299, was edited: its seq ` +
			"is stored as bytes, not as a number", manyAudited},
	} {
		exec(fmt.Sprintf("UPDATE audit SET %s WHERE seq = %d", c.edit, c.seq))
		view(t, s, func(tx registry.Reader) error {
			report, err := audit.Verify(t.Context(), tx, nil)
			if err != nil || report.Holds || report.Records != manyAudited ||
				!strings.Contains(report.String(), c.says) {
				t.Errorf("%s: %v %s", c.edit, err, report)
			}
			last := int64(manyAudited)
			if c.seq == last {
				last--
			}
			head, err := tx.AuditHead()
			found, err2 := tx.FindAudit(registry.AuditQuery{Since: noon.Add(290 * time.Hour), Limit: 1})
			if err := all(err, err2); err != nil || head.Seq != last || len(found) != 1 || found[0].Seq != last {
				t.Errorf("%s: the last record is %d, %+v, %v", c.edit, head.Seq, found, err)
			}
			return nil
		})
		if v, err := s.Version(t.Context()); err != nil || v.Seq < manyAudited-1 {
			t.Errorf("%s: %+v, %v", c.edit, v, err)
		}
		exec("DELETE FROM audit")
		exec("INSERT INTO audit SELECT * FROM kept")
	}
	// The log goes on where its last record can't be read, and says so.
	exec("UPDATE audit SET seq = 'x' WHERE seq = 300")
	update(t, s, func(tx registry.Tx) error {
		return audit.Write(tx, audit.Record{Time: noon, Actor: "anna", Action: "partner.add", Subject: "partner/new"})
	})
	view(t, s, func(tx registry.Reader) error {
		report, err := audit.Verify(t.Context(), tx, nil)
		if err != nil || report.Holds || !strings.Contains(report.String(), `a record of "partner/300"`) {
			t.Errorf("%v %s", err, report)
		}
		return err
	})
}

// Searches compare the texts of times. A time in another form is the same, but they miss it.
func TestTimesInOtherFormsAreNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		audited(t, s)
		forms := []string{
			"2026-03-04T23:00:00.123456+10:00", "2026-03-04T03:00:00.123456-10:00", "2026-03-04T13:00:00.123456+00:00",
			"2026-03-04T13:00:00.1234560Z", "2026-03-04T13:00:00,123456Z",
		}
		want := noon.Add(time.Hour).Truncate(time.Microsecond)
		for _, form := range forms {
			if at, err := time.Parse(time.RFC3339Nano, form); err != nil || !at.Equal(want) {
				t.Fatalf("%s is another time than %v: %v", form, want, err)
			}
			result, err := raw(t, address).ExecContext(t.Context(), "UPDATE audit SET time = '"+form+"' WHERE seq = 2")
			if err != nil {
				t.Fatal(err)
			}
			if n, err := result.RowsAffected(); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			view(t, s, func(tx registry.Reader) error {
				report, err := audit.Verify(t.Context(), tx, nil)
				seqs := []int64{}
				for _, f := range report.Findings {
					seqs = append(seqs, f.Seq)
				}
				if err != nil || report.Records != manyAudited || !slices.Equal(seqs, []int64{2}) ||
					!strings.Contains(report.String(), "searches can miss it") {
					t.Errorf("%s: %v %s", form, err, report)
				}
				return nil
			})
		}
	})
}
