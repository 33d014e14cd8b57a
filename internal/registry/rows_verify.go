package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
)

// VerifyRows compares every row of the registry with its last record, and every record with the
// rows: what was changed, added or removed in the database itself is a finding. So is a row that
// can't be read. Not compared are the uses of API keys, key pairs and certificates, the reports of
// nodes, and what became of anchors, which programs store without a record. If there is a root key,
// the MACs of API keys are checked too.
//
// It trusts the audit log: [audit.Verify] checks that. It keeps some hundred bytes for each row in
// memory.
func (r *Registry) VerifyRows(ctx context.Context) (report RowsReport, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		v := rowVerifier{tx: tx, last: map[rowName]lastRecord{}, between: map[rowName]RowFinding{}}
		var noMACs error
		if v.hash, noMACs = r.hashKey(tx); noMACs != nil {
			v.report.NoMACs = noMACs.Error()
		}
		if err := v.readLog(ctx); err != nil {
			return err
		}
		if err := v.readRows(ctx); err != nil {
			return err
		}
		if err := v.explain(); err != nil {
			return err
		}
		report = v.finish()
		return nil
	})
	if err != nil {
		return RowsReport{}, fmt.Errorf("verify the rows: %w", err)
	}
	return report, nil
}

// VerifyRows is [Registry.VerifyRows].
func (v *Viewer) VerifyRows(ctx context.Context) (RowsReport, error) {
	return v.registry.VerifyRows(ctx)
}

// rowVerifier is one call of VerifyRows.
type rowVerifier struct {
	tx     Reader
	hash   *lanes.HashKey // nil: MACs are not checked
	report RowsReport
	last   map[rowName]lastRecord // of the rows that were not met yet
	differ []differing

	between map[rowName]RowFinding
}

// lastRecord is what the last record of a row has of it.
type lastRecord struct {
	seq int64
	sum [sha256.Size]byte
	// hexed is the sum with checksums in hexadecimal, if an earlier version has written them in base64;
	// nil otherwise.
	hexed *[sha256.Size]byte
	gone  bool // the row was removed
}

func newLastRecord(seq int64, form json.RawMessage) lastRecord {
	last := lastRecord{seq: seq, sum: sha256.Sum256(form), gone: string(form) == "null"}
	if hexed := HexSums(form); !bytes.Equal(hexed, form) {
		sum := sha256.Sum256(hexed)
		last.hexed = &sum
	}
	return last
}

// has reports whether the record has a row whose form has this checksum.
func (l lastRecord) has(sum [sha256.Size]byte) bool {
	return sum == l.sum || l.hexed != nil && sum == *l.hexed
}

// said reports whether the checksum that a later record has of the row is that of this one.
func (l lastRecord) said(was string) bool {
	return was == fmt.Sprintf("%x", l.sum) || l.hexed != nil && was == fmt.Sprintf("%x", *l.hexed)
}

// differing is a row that is not as it was recorded.
type differing struct {
	name rowName
	seq  int64
	form json.RawMessage
}

func (v *rowVerifier) readLog(ctx context.Context) error {
	for record, err := range audit.Records(ctx, v.tx) {
		if err != nil {
			return err
		}
		v.report.Records++
		after := recordedRows(record)
		for name, form := range after.Rows {
			was := after.Was
			_, there := was[name]
			if request := strings.HasPrefix(string(name), "request/"); record.Action == string(ActionRowsAccept) &&
				(!there || !request) {
				was = nil // it is accepted; the request for that is the other row
			}
			v.compare(record.Seq, name, was)
			v.last[name] = newLastRecord(record.Seq, form)
		}
	}
	return nil
}

// compare compares a row before the change of a record with the record before that. Rows that
// somebody has accepted have no state before, and what was found in them is settled.
func (v *rowVerifier) compare(seq int64, name rowName, was map[rowName]string) {
	if was == nil {
		delete(v.between, name)
		return
	}
	last, recorded := v.last[name]
	recorded = recorded && !last.gone
	sum, there := was[name]
	text := ""
	switch {
	case there && sum == "":
		return // an empty setting
	case there && !recorded:
		text = fmt.Sprintf("%s had no record before record %d: it was put into the database, and then changed",
			name, seq)
	case recorded && !there:
		text = fmt.Sprintf("%s was not there before record %d, and record %d has it: it was deleted from the database",
			name, seq, last.seq)
	case recorded && !last.said(sum):
		text = fmt.Sprintf("%s was not as record %d has it when record %d changed it: see what that has as before",
			name, last.seq, seq)
	default:
		return
	}
	if _, known := v.between[name]; known || len(v.between) < maxRowFindings {
		v.between[name] = RowFinding{Fault: RowBetween, Row: string(name), Seq: seq, Text: text}
	} else {
		v.report.More++
	}
}

// rowsOfRecord are the rows of a record, as they are behind its change, and the SHA-256 of each
// before it.
type rowsOfRecord struct {
	Rows map[rowName]json.RawMessage `json:"rows"`
	Was  map[rowName]string          `json:"was"`
}

// recordedRows returns the rows that a record has. Other records have none.
func recordedRows(r audit.Record) (after rowsOfRecord) {
	if !bytes.Contains(r.After, []byte(`"`+rowsMember+`":`)) { // most of the time of parsing
		return after
	}
	if json.Unmarshal(r.After, &after) != nil {
		return rowsOfRecord{}
	}
	return after
}

func (v *rowVerifier) readRows(ctx context.Context) error {
	for row, err := range v.tx.Rows() {
		damaged, is := errors.AsType[*DamagedRow](err)
		if is && !damaged.Readable {
			v.damaged(damaged)
			continue
		}
		if err == nil || is {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		before := len(v.report.Findings) + len(v.differ) + v.report.More
		if err := v.row(row); err != nil {
			return err
		}
		if is && before == len(v.report.Findings)+len(v.differ)+v.report.More { // as recorded
			name, form, _, err := recordedRow(row)
			if err != nil {
				return err
			}
			v.report.add(RowFinding{Fault: RowDamaged, Row: string(name), Text: damaged.Error(), Sum: sumOf(form)})
		}
	}
	return nil
}

func (v *rowVerifier) damaged(d *DamagedRow) {
	v.report.Rows++
	name := nameOf(cmp.Or(kindOf[d.Table], d.Table), d.ID)
	v.report.add(RowFinding{Fault: RowDamaged, Row: string(name), Text: d.Error()})
	delete(v.last, name) // it is there, though nobody can say what it is
}

func (v *rowVerifier) row(row any) error {
	name, form, known, err := recordedRow(row)
	switch {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("a %T can't be compared with its record", row)
	case name == "":
		return nil
	}
	v.report.Rows++
	if f, found := v.between[name]; found {
		f.Sum = sumOf(form)
		v.between[name] = f
	}
	last, there := v.last[name]
	delete(v.last, name)
	switch {
	case !there || last.gone:
		text := fmt.Sprintf("%s has no record: it was put into the database", name)
		if last.gone {
			text = fmt.Sprintf("%s was removed by record %d, and is there", name, last.seq)
		}
		v.report.add(RowFinding{Fault: RowUnrecorded, Row: string(name), Seq: last.seq, Text: text, Sum: sumOf(form)})
	case !last.has(sha256.Sum256(form)):
		if len(v.differ) < maxRowFindings {
			v.differ = append(v.differ, differing{name, last.seq, form})
		} else {
			v.report.More++
		}
	default:
		v.checkMAC(row, name, form)
	}
	return nil
}

// checkMAC adds a finding for an API key in use that the HashKey has not stored. A record may have it
// all the same: anyone who can write the database can add one.
func (v *rowVerifier) checkMAC(row any, name rowName, form json.RawMessage) {
	k, is := row.(APIKey)
	if !is || v.hash == nil || !k.Revoked.IsZero() {
		return
	}
	if err := v.hash.Check(k.laneRow()); err != nil {
		v.report.add(RowFinding{Fault: RowForged, Row: string(name), Text: err.Error(), Sum: sumOf(form)})
	}
}

func sumOf(form json.RawMessage) string {
	if len(form) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(form))
}

// explain adds the findings of rows that are not as they were recorded.
func (v *rowVerifier) explain() error {
	for _, d := range v.differ {
		records, err := v.tx.AuditRecords(d.seq-1, 1)
		if err != nil {
			return err
		}
		f := RowFinding{Fault: RowDiffers, Row: string(d.name), Seq: d.seq, Sum: sumOf(d.form)}
		var texts []string
		if len(records) == 1 {
			f.Members, texts = differences(HexSums(recordedRows(records[0]).Rows[d.name]), d.form)
		}
		f.Text = fmt.Sprintf("%s is not as record %d has it: %s", d.name, d.seq, strings.Join(texts, "; "))
		v.report.add(f)
	}
	return nil
}

// finish adds the records whose rows are not there.
func (v *rowVerifier) finish() RowsReport {
	for _, name := range slices.Sorted(maps.Keys(v.last)) {
		if last := v.last[name]; !last.gone {
			v.report.add(RowFinding{
				Fault: RowMissing, Row: string(name), Seq: last.seq,
				Text: fmt.Sprintf(
					"%s is not there, and record %d has it: it was deleted from the database", name, last.seq,
				),
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.between)) {
		v.report.add(v.between[name])
	}
	if v.report.Records == 0 && v.report.Rows > 0 {
		empty := RowFinding{Fault: RowsWithout, Text: "the audit log is empty, and there are rows: it was deleted"}
		v.report.Findings = slices.Insert(v.report.Findings, 0, empty)
	}
	if v.report.Holds = len(v.report.Findings) == 0; !v.report.Holds {
		v.report.Checksum = v.report.checksum()
	}
	return v.report
}
