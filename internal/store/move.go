package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// moveOut takes partners' files and the offers out of certificates' bodies, where
// version 1 had them.
func (s *Store) moveOut(ctx context.Context, t *sql.Tx) error {
	after := ""
	for {
		bodies, err := s.bodies(ctx, t, after)
		if err != nil || len(bodies) == 0 {
			return err
		}
		for _, b := range bodies {
			if err := s.moveOne(ctx, t, b); err != nil {
				return fmt.Errorf("certificate %q: %w", b.id, err)
			}
			after = b.id
		}
	}
}

type oldBody struct{ id, keyPair, text string }

func (s *Store) bodies(ctx context.Context, t *sql.Tx, after string) ([]oldBody, error) {
	rows, err := t.QueryContext(ctx, s.dialect.statement(`SELECT x.id, c.key_pair, x.body FROM certificate_text x JOIN certificate c ON c.id = x.id
		WHERE x.id > ? ORDER BY x.id LIMIT 500`), after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var bodies []oldBody
	for rows.Next() {
		var b oldBody
		if err := rows.Scan(&b.id, &b.keyPair, &b.text); err != nil {
			return nil, err
		}
		bodies = append(bodies, b)
	}
	return bodies, rows.Err()
}

func (s *Store) moveOne(ctx context.Context, t *sql.Tx, b oldBody) error {
	var whole, exchange map[string]json.RawMessage
	if err := json.Unmarshal([]byte(b.text), &whole); err != nil {
		return err
	}
	if whole["exchange"] == nil {
		return nil
	}
	if err := json.Unmarshal(whole["exchange"], &exchange); err != nil {
		return err
	}
	var moved struct {
		File   []byte
		Offers map[string]struct{ At, Confirmed time.Time }
	}
	if err := json.Unmarshal(whole["exchange"], &moved); err != nil {
		return err
	}
	delete(exchange, "file")
	delete(exchange, "offers")
	var err error
	if whole["exchange"], err = json.Marshal(exchange); err != nil {
		return err
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, s.dialect.statement("UPDATE certificate_text SET file = ?, body = ? WHERE id = ?"), nullBytes(moved.File), string(text), b.id); err != nil {
		return err
	}
	for partner, o := range moved.Offers {
		if _, err := t.ExecContext(ctx, s.dialect.statement("INSERT INTO offer (key_pair, partner, at, confirmed, version) VALUES (?, ?, ?, ?, 1)"),
			b.keyPair, partner, micro(o.At), micro(o.Confirmed)); err != nil {
			return err
		}
	}
	return nil
}
