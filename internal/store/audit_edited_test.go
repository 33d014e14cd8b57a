package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// A record of which any column was edited in the database is named by the verification, which goes on
// with the others.
func TestEditedRecordsAreNamed(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error {
			for i := range 4 {
				err := audit.Write(tx, audit.Record{
					Time: time.Unix(int64(i), 0), Actor: "anna", Action: "partner.add",
					Subject: fmt.Sprint("partner/", i), Reason: "agreed",
					Before: []byte(`{"a":1}`), After: []byte(`{"a":2}`),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		driver, name := "pgx", address
		path, sqlite := strings.CutPrefix(address, "sqlite:")
		if sqlite {
			driver, name = "sqlite", path+"?_pragma=busy_timeout(10000)"
		}
		db, err := sql.Open(driver, name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		exec := func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		values := []string{"'then'", "''"}
		if sqlite { // PostgreSQL has types
			values = append(values, "x'00ff'", "7", "NULL")
		}
		for _, column := range []string{
			"time", "actor", "action", "subject", "partner", "environment", "reason", "before", "after", "previous",
			"hash",
		} {
			for _, value := range values {
				if notNull := !slices.Contains([]string{"before", "after"}, column); value == "NULL" && notNull {
					continue
				}
				if value == "''" && slices.Contains([]string{"partner", "environment"}, column) {
					continue // as it is
				}
				what := fmt.Sprintf("%s = %s", column, value)
				exec("CREATE TABLE kept AS SELECT * FROM audit")
				exec("UPDATE audit SET " + what + " WHERE seq = 2")
				view(t, s, func(tx registry.Reader) error {
					report, err := audit.Verify(t.Context(), tx, nil)
					if err != nil || report.Holds || report.Records != 4 || report.Findings[0].Seq != 2 {
						t.Errorf("%s: %v %+v", what, err, report)
					}
					return nil
				})
				exec("DELETE FROM audit")
				exec("INSERT INTO audit SELECT * FROM kept")
				exec("DROP TABLE kept")
			}
		}
	})
}
