// Package audit implements the log of changes: who did what, when, why, and the state
// before and after. Each record contains the hash of the previous one. [Anchorer] writes
// the hash of the last record to places outside the database, so that [Verify] detects
// changes that were made in the database itself.
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
	Previous    []byte          `json:"previous"` // hash of the previous record; zeros for the first
	Hash        []byte          `json:"hash"`     // SHA-256, see Sum

	// Flaw says how the database stores the record otherwise than programs do: searches can miss it
	// though its hash is right. It is empty for a record that is stored as it was written.
	Flaw string `json:"-"`
}

// Head is the end of the chain at one moment.
type Head struct {
	Seq  int64     `json:"seq"` // 0: nothing is recorded yet
	Hash []byte    `json:"hash"`
	Time time.Time `json:"time"` // when it was the head
}

// Log is the log in a transaction of a store.
type Log interface {
	Reader

	// AppendAudit stores a record unchanged. Its Seq is that of the head plus one.
	AppendAudit(Record) error
}

// Reader reads a log.
type Reader interface {
	// AuditHead returns the last record's Seq, Hash and Time.
	AuditHead() (Head, error)
	// AuditRecords returns the records after that number, in order, at most limit. A record whose
	// number can't be read has a Flaw and the highest number, and comes last.
	AuditRecords(after int64, limit int) ([]Record, error)
}
