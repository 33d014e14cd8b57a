// Package audit keeps the record of every change: who did what, when, why, and
// what it was before and after. Records are chained by their hashes; the chain's
// head is written to places outside the database, so that what somebody does with
// the database itself is found.
package audit

import (
	"encoding/json"
	"time"
)

// Record is one change, by a person or a program.
type Record struct {
	Seq         int64           `json:"seq"` // from 1, without gaps
	Time        time.Time       `json:"time"`
	Actor       string          `json:"actor"`   // a person's ID, or "program:NAME"
	Action      string          `json:"action"`  // such as "certificate.approve"
	Subject     string          `json:"subject"` // such as "certificate/ID"
	Partner     string          `json:"partner,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	Before      json.RawMessage `json:"before,omitempty"` // never a secret
	After       json.RawMessage `json:"after,omitempty"`
	Previous    []byte          `json:"previous"` // Hash of the record before; of the first: zeros
	Hash        []byte          `json:"hash"`     // SHA-256, see Sum
}

// Head is the end of the chain at one moment.
type Head struct {
	Seq  int64     `json:"seq"` // 0: nothing is recorded yet
	Hash []byte    `json:"hash"`
	Time time.Time `json:"time"` // when it was the head
}

// Log is what a store's transaction keeps of the chain.
type Log interface {
	// AuditHead gives the last record's Seq, Hash and Time.
	AuditHead() (Head, error)
	// AppendAudit stores a record as it is; Seq is the head's and one.
	AppendAudit(Record) error
	// AuditRecords gives the records behind after, in order, at most limit.
	AuditRecords(after int64, limit int) ([]Record, error)
}
