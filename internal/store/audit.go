package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

var auditTable = &table[audit.Record]{
	name: "audit",
	row:  func(r *audit.Record) string { return fmt.Sprintf("audit record %d", r.Seq) },
	key: []column[audit.Record]{
		numberAsItIs("seq", func(r *audit.Record) *int64 { return &r.Seq }),
	},
	columns: []column[audit.Record]{
		timeAsItIs("time", func(r *audit.Record) *time.Time { return &r.Time }),
		textAsItIs("actor", func(r *audit.Record) *string { return &r.Actor }),
		textAsItIs("action", func(r *audit.Record) *string { return &r.Action }),
		textAsItIs("subject", func(r *audit.Record) *string { return &r.Subject }),
		textAsItIs("partner", func(r *audit.Record) *string { return &r.Partner }),
		textAsItIs("environment", func(r *audit.Record) *string { return &r.Environment }),
		textAsItIs("reason", func(r *audit.Record) *string { return &r.Reason }),
		blobOrNullAsItIs("before", func(r *audit.Record) *json.RawMessage { return &r.Before }),
		blobOrNullAsItIs("after", func(r *audit.Record) *json.RawMessage { return &r.After }),
		blobAsItIs("previous", func(r *audit.Record) *[]byte { return &r.Previous }),
		blobAsItIs("hash", func(r *audit.Record) *[]byte { return &r.Hash }),
	},
}

// auditHead is of the last record that has a number.
var auditHead = selection[audit.Head]{
	"SELECT seq, hash, time FROM audit WHERE " + numbered, func(row scan) (h audit.Head, err error) {
		err = row(placeInto{&h.Seq}, looseBytes{&h.Hash}, zonedInto{&h.Time})
		return h, err
	},
}

// AuditHead reads the log once: nothing else appends to it during this transaction.
func (t *tx) AuditHead() (audit.Head, error) {
	if t.head == nil {
		last, err := list(t, "audit log", auditHead, " ORDER BY seq DESC LIMIT 1")
		if err != nil {
			return audit.Head{}, err
		}
		t.head = &audit.Head{}
		if len(last) > 0 {
			t.head = &last[0]
		}
	}
	h := *t.head
	h.Hash = bytes.Clone(h.Hash)
	return h, nil
}

func (t *tx) AppendAudit(r audit.Record) error {
	head, err := t.AuditHead()
	if err != nil {
		return err
	}
	if r.Seq != head.Seq+1 {
		return fmt.Errorf("%s: the last one is %d: %w", auditTable.row(&r), head.Seq, registry.ErrConflict)
	}
	done, err := insert(t, auditTable, &r)
	if err == nil && !done {
		err = fmt.Errorf("%s: %w", auditTable.row(&r), registry.ErrConflict)
	}
	if err == nil && t.store.dialect.notify != "" {
		_, err = t.exec("audit log", t.store.dialect.notify)
	}
	if err == nil {
		t.head = &audit.Head{Seq: r.Seq, Hash: bytes.Clone(r.Hash), Time: r.Time}
	}
	return err
}

func (t *tx) AuditRecords(after int64, limit int) ([]audit.Record, error) {
	return list(t, "audit log", auditTable.listed(), " WHERE seq > ? ORDER BY seq"+upTo, after, max(limit, 0))
}
