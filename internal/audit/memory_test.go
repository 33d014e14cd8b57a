package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// memory is a log in memory. It returns its records in the order in which it has them.
type memory struct {
	records []audit.Record
	head    *audit.Head // where it is not the last record
}

func (m *memory) AuditHead() (audit.Head, error) {
	if m.head != nil {
		return *m.head, nil
	}
	if len(m.records) == 0 {
		return audit.Head{}, nil
	}
	last := m.records[len(m.records)-1]
	return audit.Head{Seq: last.Seq, Hash: last.Hash, Time: last.Time}, nil
}

func (m *memory) AppendAudit(r audit.Record) error {
	if head, _ := m.AuditHead(); r.Seq != head.Seq+1 {
		return errors.New("not the next")
	}
	m.records = append(m.records, r)
	return nil
}

func (m *memory) AuditRecords(after int64, limit int) ([]audit.Record, error) {
	var out []audit.Record
	for _, r := range m.records {
		if r.Seq > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

var start = time.Date(2026, 3, 1, 23, 59, 59, 123456789, time.FixedZone("", 3600))

// write makes a log of n records, whose fields are all used, and now and then not.
func write(t testing.TB, n int) *memory {
	t.Helper()
	m := new(memory)
	for i := range n {
		r := audit.Record{
			Time: start.Add(time.Duration(i) * time.Minute), Actor: fmt.Sprintf("ann-%d",
				i), Action: "certificate.approve", Subject: fmt.Sprintf("certificate/%d", i),
			Partner: "acme", Environment: "PROD", Reason: "line one\nsaid \"yes\" \\ <ok> \u2028é",
			Before: json.RawMessage(fmt.Sprintf(`{"state": "matched", "n": %d.10}`,
				i)), After: json.RawMessage(` {"state":"approved","a":"<b>"} `),
		}
		if i%3 == 2 {
			r.Partner, r.Environment, r.Reason, r.Before, r.After = "", "", "", nil, nil
		}
		if err := audit.Write(m, r); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *memory) clone() *memory {
	c := new(memory)
	for _, r := range m.records {
		r.Before, r.After = bytes.Clone(r.Before), bytes.Clone(r.After)
		r.Previous, r.Hash = bytes.Clone(r.Previous), bytes.Clone(r.Hash)
		c.records = append(c.records, r)
	}
	return c
}

// rechain returns the records after from with matching numbers and hashes, as an attacker
// who rewrites the log would do.
func (m *memory) rechain(from int) {
	previous := make([]byte, sha256.Size)
	if from > 0 {
		previous = m.records[from-1].Hash
	}
	for i := from; i < len(m.records); i++ {
		r := &m.records[i]
		r.Seq, r.Previous = int64(i+1), previous
		r.Hash = audit.Sum(*r)
		previous = r.Hash
	}
}

func (m *memory) headAt(seq int) audit.Head {
	r := m.records[seq-1]
	return audit.Head{Seq: r.Seq, Hash: r.Hash, Time: r.Time}
}

// verify returns the report on the log, and checks that the report on its export is not
// better.
func verify(t testing.TB, m *memory, anchors ...audit.Head) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), m, anchors)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := audit.Export(t.Context(), m, &file); err != nil {
		t.Fatal(err)
	}
	exported, err := audit.VerifyExport(&file, anchors)
	if err != nil {
		t.Fatal(err)
	}
	ofDatabase := m.head != nil || slices.ContainsFunc(m.records, func(r audit.Record) bool { return r.Flaw != "" })
	if exported.Holds && !report.Holds && !ofDatabase {
		t.Errorf("the export holds, the log does not: %v", report)
	}
	if report.Holds && !exported.Holds {
		t.Errorf("the log holds, its export does not: %v", exported)
	}
	return report
}

// has reports whether the fault was found at the record.
func has(r audit.Report, f audit.Fault, seq int64) bool {
	for _, found := range r.Findings {
		if found.Fault == f && found.Seq == seq && found.Text != "" {
			return true
		}
	}
	return false
}
