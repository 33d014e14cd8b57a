package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Version implements [lanes.Store].
func (s *Store) Version(ctx context.Context) (lanes.Version, error) {
	var v lanes.Version
	var hash []byte
	const last = "SELECT seq, hash FROM audit WHERE " + numbered + " ORDER BY seq DESC LIMIT 1"
	rows, err := s.watch.QueryContext(ctx, last)
	if err != nil {
		return v, s.failed(ctx, "version of the registry", err)
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(placeInto{&v.Seq}, looseBytes{&hash}); err != nil {
			return v, s.failed(ctx, "version of the registry", err)
		}
		v.Hash = hashOf(hash)
	}
	if err := rows.Err(); err != nil {
		return v, s.failed(ctx, "version of the registry", err)
	}
	return v, nil
}

// Listen implements [lanes.Store].
func (s *Store) Listen(ctx context.Context, wake func()) error {
	if s.dialect.listen == nil {
		return nil
	}
	return s.failed(ctx, "listen to the registry", s.dialect.listen(ctx, wake))
}

// hashOf returns a hash of the log. One that is damaged is zero.
func hashOf(stored []byte) (hash [sha256.Size]byte) {
	if len(stored) == len(hash) {
		copy(hash[:], stored)
	}
	return hash
}

// ReadLanes implements [lanes.Store].
func (s *Store) ReadLanes(ctx context.Context, scope lanes.Scope, read func(lanes.Rows, lanes.Extent) error) error {
	pool := s.watch
	if scope.Whole {
		pool = s.reader
	}
	return s.view(ctx, pool, func(t *tx) error {
		head, err := t.AuditHead()
		if err != nil {
			return err
		}
		x := lanes.Extent{Version: lanes.Version{Seq: head.Seq, Hash: hashOf(head.Hash)}, Whole: true}
		rows := laneRows{tx: t, environments: scope.Environments}
		if scope.Since != nil {
			if x.Changed, err = t.changedSince(*scope.Since); err != nil {
				return err
			}
			x.Whole = scope.Whole || x.Changed.All
		}
		if !x.Whole {
			rows.changed = &x.Changed
		}
		return read(rows, x)
	})
}

const (
	recordsAtOnce = 100   // records of the log, each of which may have megabytes
	maxRecords    = 20000 // after more than these, all is read
)

// changedSince returns what the records after a version concern.
func (t *tx) changedSince(v lanes.Version) (c lanes.Changes, err error) {
	there, err := t.isInLog(v)
	if err != nil {
		return c, err
	}
	if !there {
		c.Add(lanes.Changes{All: true, Restored: true, Why: fmt.Sprintf(
			"record %d of the audit log is not the one that was read: the database was restored, or is another one",
			v.Seq)})
		return c, nil
	}
	for after := v.Seq; !c.All; {
		records, err := t.AuditRecords(after, recordsAtOnce)
		if _, damaged := err.(registry.DamagedRows); damaged {
			c.Add(lanes.Changes{All: true, Why: "a record of the audit log can't be read"})
			return c, nil
		}
		if err != nil || len(records) == 0 {
			return c, err
		}
		for _, r := range records {
			c.Add(registry.LaneChanges(r))
		}
		after = records[len(records)-1].Seq
		if after-v.Seq > maxRecords || len(c.Partners) > lanes.MaxPartners {
			c.Add(lanes.Changes{All: true, Why: "there were too many changes to read one by one"})
		}
	}
	return c, nil
}

// isInLog reports whether the log has a version's record.
func (t *tx) isInLog(v lanes.Version) (bool, error) {
	if v.Seq == 0 {
		return true, nil
	}
	read := func(row scan) (hash []byte, err error) {
		err = row(bytesInto[[]byte]{&hash})
		return hash, err
	}
	hashes, err := list(t, "audit log", selection[[]byte]{"SELECT hash FROM audit", read}, " WHERE seq = ?", v.Seq)
	return len(hashes) == 1 && bytes.Equal(hashes[0], v.Hash[:]), err
}
