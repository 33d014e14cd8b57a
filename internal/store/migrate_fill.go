package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
)

// filled fills new columns of a version of the database that SQL cannot compute, in the
// transaction of the migration, which is named by its file. Programs of the previous version do not
// know these columns.
var filled = map[string]func(context.Context, *Store, *sql.Tx) error{
	"certificates": fillFileSums, "find": fillNames, "inventory": fillListed, "todo": fillNoted,
}

// fillFileSums fills certificate.file_sha256.
func fillFileSums(ctx context.Context, s *Store, t *sql.Tx) error {
	for after := ""; ; {
		sums, last, err := fileSums(ctx, s, t, after)
		if err != nil || last == "" {
			return err
		}
		for id, sum := range sums {
			update := s.dialect.statement("UPDATE certificate SET file_sha256 = ? WHERE id = ?")
			if _, err := t.ExecContext(ctx, update, sum, id); err != nil {
				return err
			}
		}
		after = last
	}
}

// fileSums returns the checksums of a hundred files, and the last identity, which is empty
// if there are no more.
func fileSums(
	ctx context.Context, s *Store, t *sql.Tx, after string,
) (sums map[string][]byte, last string, err error) {
	rows, err := t.QueryContext(ctx, s.dialect.statement(
		"SELECT id, file FROM certificate_text WHERE id > ? AND file IS NOT NULL ORDER BY id LIMIT 100"), after)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	sums = map[string][]byte{}
	for rows.Next() {
		var file []byte
		if err := rows.Scan(&last, &file); err != nil {
			return nil, "", err
		}
		sum := sha256.Sum256(file)
		sums[last] = sum[:]
	}
	return sums, last, rows.Err()
}
