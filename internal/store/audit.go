package store

import (
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// AuditHead is read once: nobody else appends while this transaction may.
func (t *tx) AuditHead() (audit.Head, error) {
	if t.head != nil {
		h := *t.head
		h.Hash = append([]byte(nil), h.Hash...)
		return h, nil
	}
	read := func(row scan) (h audit.Head, err error) {
		var at string
		if err = row(&h.Seq, bytesInto{&h.Hash}, &at); err == nil {
			h.Time, err = time.Parse(time.RFC3339Nano, at)
		}
		return h, err
	}
	found, err := list(t, "audit log", read, "SELECT seq, hash, time FROM audit ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return audit.Head{}, err
	}
	t.head = &audit.Head{}
	if len(found) > 0 {
		t.head = &found[0]
	}
	return t.AuditHead()
}

func (t *tx) AppendAudit(r audit.Record) error {
	head, err := t.AuditHead()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("audit record %d", r.Seq)
	if r.Seq != head.Seq+1 {
		return fmt.Errorf("%s: the last one is %d: %w", what, head.Seq, registry.ErrConflict)
	}
	_, err = t.exec(what, `INSERT INTO audit
		(seq, time, actor, action, subject, partner, environment, reason, before, after, previous, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Seq, r.Time.Format(time.RFC3339Nano), r.Actor, r.Action, r.Subject, r.Partner, r.Environment, r.Reason,
		nullBytes(r.Before), nullBytes(r.After), blob(r.Previous), blob(r.Hash))
	if err == nil {
		t.head = &audit.Head{Seq: r.Seq, Hash: append([]byte(nil), r.Hash...), Time: r.Time}
	}
	return err
}

func (t *tx) AuditRecords(after int64, limit int) ([]audit.Record, error) {
	read := func(row scan) (r audit.Record, err error) {
		var at string
		var before, following []byte
		err = row(&r.Seq, &at, &r.Actor, &r.Action, &r.Subject, &r.Partner, &r.Environment, &r.Reason,
			bytesInto{&before}, bytesInto{&following}, bytesInto{&r.Previous}, bytesInto{&r.Hash})
		if err == nil {
			r.Time, err = time.Parse(time.RFC3339Nano, at)
		}
		r.Before, r.After = before, following
		return r, err
	}
	return list(t, "audit log", read, `SELECT seq, time, actor, action, subject, partner, environment, reason, before, after, previous, hash
		FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, after, max(limit, 0))
}
