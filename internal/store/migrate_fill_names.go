package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// fillNames fills the columns that people search by.
func fillNames(ctx context.Context, s *Store, t *sql.Tx) error {
	return fillAll(ctx, s, t, []nameFill{
		{"SELECT id, name FROM partner WHERE id > ? ORDER BY id LIMIT 500", []any{""}, partnerNames},
		{`SELECT partner, name, COALESCE(account, ''), body FROM environment
			WHERE (partner, name) > (?, ?) ORDER BY partner, name LIMIT 500`, []any{"", ""}, environmentNames},
		{"SELECT id, body FROM api_key WHERE id > ? ORDER BY id LIMIT 500", []any{""}, apiKeyNames},
		{`SELECT c.id, c.key_id, x.der, x.body FROM certificate c JOIN certificate_text x ON x.id = c.id
			WHERE c.id > ? ORDER BY c.id LIMIT 500`, []any{""}, certificateNames},
	})
}

// fillListed fills the columns that repeat the bodies of certificates.
func fillListed(ctx context.Context, s *Store, t *sql.Tx) error {
	return fillAll(ctx, s, t, []nameFill{
		{`SELECT c.id, c.version, x.body FROM certificate c JOIN certificate_text x ON x.id = c.id
			WHERE c.id > ? ORDER BY c.id LIMIT 500`, []any{""}, certificateListed},
	})
}

func fillAll(ctx context.Context, s *Store, t *sql.Tx, fills []nameFill) error {
	for _, f := range fills {
		for more := true; more; {
			updates, err := f.page(ctx, s, t)
			if err != nil {
				return err
			}
			for _, u := range updates {
				args := append(u.args, u.key...)
				if _, err := t.ExecContext(ctx, s.dialect.statement(u.statement), args...); err != nil {
					return err
				}
			}
			if more = len(updates) > 0; more {
				f.after = updates[len(updates)-1].key
			}
		}
	}
	return nil
}

// nameFill fills a table, a page at a time.
type nameFill struct {
	rows  string // a statement: the rows after a key, which are their first columns
	after []any
	fill  func(scan) (nameUpdate, error)
}

// nameUpdate is the change of one row.
type nameUpdate struct {
	statement string
	args, key []any
}

// page reads a page before any of its rows is changed: PostgreSQL answers one statement at a time.
func (f *nameFill) page(ctx context.Context, s *Store, t *sql.Tx) (updates []nameUpdate, err error) {
	rows, err := t.QueryContext(ctx, s.dialect.statement(f.rows), f.after...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		u, err := f.fill(rows.Scan)
		if err != nil {
			return nil, err
		}
		updates = append(updates, u)
	}
	return updates, rows.Err()
}

func partnerNames(row scan) (nameUpdate, error) {
	var p registry.Partner
	err := row(&p.ID, &p.Name)
	const statement = "UPDATE partner SET names = ? WHERE id = ?"
	return nameUpdate{statement, []any{folded(p.SearchTexts())}, []any{p.ID}}, err
}

// The body of a damaged row can't be read. Its key finds it still.

func environmentNames(row scan) (nameUpdate, error) {
	var partner, name, account, body string
	err := row(&partner, &name, &account, &body)
	var e registry.Environment
	_ = json.Unmarshal([]byte(body), &e)
	e.Account = account
	const statement = "UPDATE environment SET names = ? WHERE partner = ? AND name = ?"
	return nameUpdate{statement, []any{folded(e.SearchTexts())}, []any{partner, name}}, err
}

func apiKeyNames(row scan) (nameUpdate, error) {
	var id, body string
	err := row(&id, &body)
	var k registry.APIKey
	_ = json.Unmarshal([]byte(body), &k)
	return nameUpdate{"UPDATE api_key SET names = ? WHERE id = ?", []any{folded(k.SearchTexts())}, []any{id}}, err
}

func certificateNames(row scan) (nameUpdate, error) {
	var id, keyID, body string
	var der []byte
	err := row(&id, &keyID, &der, &body)
	var c registry.Certificate
	_ = json.Unmarshal([]byte(body), &c)
	c.DER, c.KeyID = der, keyID
	const statement = "UPDATE certificate SET names = ?, serial_number = ?, sha1 = ? WHERE id = ?"
	return nameUpdate{statement, []any{folded(c.SearchTexts()), c.Serial, sha1Of(der)}, []any{id}}, err
}

// certificateListed leaves a row as it is whose body can't be read: the body counts.
func certificateListed(row scan) (nameUpdate, error) {
	var id, body string
	var version int64
	if err := row(&id, &version, &body); err != nil {
		return nameUpdate{}, err
	}
	var c registry.Certificate
	if json.Unmarshal([]byte(body), &c) != nil {
		return nameUpdate{"UPDATE certificate SET listed = 0 WHERE id = ?", nil, []any{id}}, nil
	}
	c.Version = version - 1 // which it had when it was stored
	columns := whileListed()
	return nameUpdate{"UPDATE certificate SET " + strings.Join(namesOf(columns), " = ?, ") + " = ? WHERE id = ?",
		values(columns, &c), []any{id}}, nil
}
