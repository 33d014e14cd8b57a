package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// keyUse is a row of uses, with the batch that was stored last.
type keyUse struct {
	lanes.KeySeen
	node, process string
	batch         int64
}

var keyUseTable = &table[keyUse]{
	name: "key_use",
	row:  func(u *keyUse) string { return fmt.Sprintf("use of %q by %s on node %q", u.Key, u.Partner, u.node) },
	key: []column[keyUse]{
		text("id", func(u *keyUse) *string { return &u.Key }),
		text("partner", func(u *keyUse) *string { return &u.Partner }),
		text("node", func(u *keyUse) *string { return &u.node }),
		text("direction", func(u *keyUse) *lanes.Direction { return &u.Direction }),
	},
	columns: []column[keyUse]{
		instant("first", func(u *keyUse) *time.Time { return &u.First }),
		instant("last", func(u *keyUse) *time.Time { return &u.Last }),
		number("uses", func(u *keyUse) *int64 { return &u.Count }),
		text("process", func(u *keyUse) *string { return &u.process }),
		number("batch", func(u *keyUse) *int64 { return &u.batch }),
	},
}

// UsedKeys implements [lanes.Store].
func (s *Store) UsedKeys(ctx context.Context, uses lanes.KeyUses) error {
	if len(uses.Seen) > lanes.MostKeySeen {
		return fmt.Errorf("store: %d uses of keys, more than %d", len(uses.Seen), lanes.MostKeySeen)
	}
	return s.commit(ctx, s.dialect.beginUses, func(t *tx) error { return t.usedKeys(uses) })
}

// usesInStatement is how many uses one statement stores.
const usesInStatement = 50

// usedKeys adds uses to those that are stored, unless the batch of the process was stored before.
func (t *tx) usedKeys(uses lanes.KeyUses) error {
	for some := range slices.Chunk(uses.Seen, usesInStatement) {
		args := make([]any, 0, len(some)*9)
		for _, one := range some {
			args = append(args, one.Key, one.Partner, uses.Node, string(one.Direction), one.First.UnixMicro(),
				one.Last.UnixMicro(), one.Count, uses.Process, uses.Batch)
		}
		if _, err := t.exec("uses of keys", addUses(len(some)), args...); err != nil {
			return err
		}
	}
	return nil
}

// addUses returns the statement that adds n uses.
func addUses(n int) string {
	const (
		row = `(CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT),
			CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS BIGINT))`
		columns = "id, partner, node, direction, first, last, uses, process, batch"
	)
	return "WITH seen (" + columns + ") AS (VALUES " + row + strings.Repeat(", "+row, n-1) + `)
		INSERT INTO key_use (` + columns + ") SELECT " + columns + ` FROM seen
			WHERE EXISTS (SELECT 1 FROM key_pair k WHERE k.id = seen.id)
				OR EXISTS (SELECT 1 FROM certificate c WHERE c.id = seen.id)
		ON CONFLICT (id, partner, node, direction) DO UPDATE SET
			first = CASE WHEN excluded.first < key_use.first THEN excluded.first ELSE key_use.first END,
			last = CASE WHEN excluded.last > key_use.last THEN excluded.last ELSE key_use.last END,
			uses = key_use.uses + excluded.uses, process = excluded.process, batch = excluded.batch
		WHERE key_use.process <> excluded.process OR key_use.batch < excluded.batch`
}

// usages sums up the uses of a key, by node and direction.
var usages = selection[registry.Usage]{
	`SELECT node, direction, MIN(first), MAX(last), CAST(SUM(uses) AS BIGINT), COUNT(DISTINCT partner) FROM key_use`,
	func(row scan) (u registry.Usage, err error) {
		err = row(textInto[string]{&u.Node}, textInto[lanes.Direction]{&u.Direction}, instantInto{&u.First},
			instantInto{&u.Last}, &u.Count, &u.Partners)
		return u, err
	},
}

func (t *tx) KeyUsage(id, partner string) ([]registry.Usage, error) {
	condition, args := " WHERE id = ?", []any{id}
	if partner != "" {
		condition, args = condition+" AND partner = ?", append(args, partner)
	}
	return list(t, fmt.Sprintf("uses of %q", id), usages,
		condition+" GROUP BY node, direction ORDER BY node, direction", args...)
}

var endedUses = selection[registry.EndedUse]{
	`SELECT id, partner, node, MAX(last) FROM key_use`,
	func(row scan) (u registry.EndedUse, err error) {
		return u, row(textInto[string]{&u.Key}, textInto[string]{&u.Partner}, textInto[string]{&u.Node},
			instantInto{&u.Last})
	},
}

// EndedUses implements [registry.Reader].
func (t *tx) EndedUses(since time.Time, n int) ([]registry.EndedUse, error) {
	var states []any
	for _, s := range registry.States() {
		if !s.InUse() {
			states = append(states, string(s))
		}
	}
	ended := " WHERE state IN (" + placeholders(len(states)) + ")"
	args := slices.Concat([]any{since.UnixMicro()}, states, states, []any{n})
	return list(t, "uses of keys that have ended", endedUses, ` WHERE last >= ?
		AND (id IN (SELECT id FROM certificate`+ended+`) OR id IN (SELECT id FROM key_pair`+ended+`))
		GROUP BY id, partner, node ORDER BY MAX(last) DESC, id, partner, node LIMIT ?`, args...)
}
