package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

func TestHolds(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 600} {
		m := write(t, n)
		var anchors []audit.Head
		for seq := 1; seq <= n; seq += 50 {
			anchors = append(anchors, m.headAt(seq))
		}
		report := verify(t, m, anchors...)
		head, _ := m.AuditHead()
		if !report.Holds || report.Records != int64(n) || report.Held != len(anchors) || report.Head.Seq != head.Seq ||
			len(report.Findings) != 0 {
			t.Errorf("%d records: %+v", n, report)
		}
		if len(anchors) > 0 && report.AnchoredTo != anchors[len(anchors)-1].Seq {
			t.Errorf("%d records: anchored to %d", n, report.AnchoredTo)
		}
	}
}

// edits returns other values for a field; the first that there is must be found.
func edits(v any) []any {
	switch v := v.(type) {
	case int64:
		return []any{v + 1, v - 1, -v, v + 1000, int64(0), int64(math.MinInt64 + 1), int64(math.MaxInt64)}
	case time.Time:
		return []any{v.Add(1), v.Add(time.Microsecond), v.Add(-time.Hour), time.Time{}, v.AddDate(9000, 0, 0)}
	case string:
		return []any{v + "x", "", v + "\xff", v + "\x00", " " + v, strings.ToUpper(v) + "!"}
	case json.RawMessage:
		return []any{json.RawMessage("null"), json.RawMessage(""), json.RawMessage(`{"state":"x"}`),
			json.RawMessage(`1,"after":2`), append(bytes.Clone(v),
				' '), json.RawMessage("{"), json.RawMessage("\"\xff\"")}
	case []byte:
		first, last := bytes.Clone(v), bytes.Clone(v)
		first[0] ^= 1
		last[len(last)-1] ^= 0x80
		return []any{first, last, v[1:], append(bytes.Clone(v), 0), []byte(nil), make([]byte, len(v)+1)}
	}
	panic(reflect.TypeOf(v))
}

func TestEveryEditIsFound(t *testing.T) {
	good := write(t, 7)
	for i := range good.records {
		fields := reflect.TypeFor[audit.Record]()
		for f := range fields.NumField() {
			name := fields.Field(f).Name
			tried := 0
			for _, value := range edits(reflect.ValueOf(good.records[i]).Field(f).Interface()) {
				m := good.clone()
				field := reflect.ValueOf(&m.records[i]).Elem().Field(f)
				if empty := reflect.ValueOf(value).Len; field.Kind() == reflect.Slice && field.Len() == 0 &&
					empty() == 0 || reflect.DeepEqual(field.Interface(), value) {
					continue
				}
				field.Set(reflect.ValueOf(value))
				tried++
				report := verify(t, m)
				at := m.records[i].Seq
				if report.Holds || !has(report, audit.Edited, at) && !has(report, audit.Moved, at) {
					t.Errorf("record %d, %s = %v: %v", i+1, name, value, report)
				}
			}
			if tried < 4 {
				t.Errorf("record %d: %s was edited %d times", i+1, name, tried)
			}
		}
	}
}

// TestEditWithItsHash: a record and its hash were changed, but not the chain after it.
func TestEditWithItsHash(t *testing.T) {
	good := write(t, 7)
	for i := range good.records {
		m := good.clone()
		m.records[i].Actor = "nobody"
		m.records[i].Hash = audit.Sum(m.records[i])
		anchored := verify(t, m, good.headAt(i+1))
		if !has(anchored, audit.Rewritten, 1) || anchored.Refuted != 1 {
			t.Errorf("record %d: %v", i+1, anchored)
		}
		if last := i == len(good.records)-1; verify(t, m).Holds != last || !last && !has(verify(t, m), audit.Broken,
			int64(i+2)) {
			t.Errorf("record %d: %v", i+1, verify(t, m))
		}
	}
}

func TestDeletions(t *testing.T) {
	good := write(t, 7)
	for from := range good.records {
		for to := from + 1; to <= len(good.records); to++ {
			m := good.clone()
			m.records = slices.Delete(m.records, from, to)
			report := verify(t, m, good.headAt(7))
			fault := audit.Missing
			if to == len(good.records) {
				fault = audit.Cut
				if !verify(t, m).Holds {
					t.Error("a cut tail is found without an anchor: how?")
				}
			}
			if report.Holds || !has(report, fault, int64(from+1)) || report.Findings[0].To != int64(to) {
				t.Errorf("%d to %d: %v", from+1, to, report)
			}
			m.rechain(0)
			if report := verify(t, m, good.headAt(7)); !has(report, audit.Cut, int64(len(m.records)+1)) {
				t.Errorf("%d to %d, the rest rewritten: %v", from+1, to, report)
			}
		}
	}
}

func TestSwaps(t *testing.T) {
	good := write(t, 7)
	for i := range len(good.records) - 1 {
		// The rows' numbers are exchanged, as in a database.
		m := good.clone()
		a, b := &m.records[i], &m.records[i+1]
		*a, *b = *b, *a
		a.Seq, b.Seq = b.Seq, a.Seq
		report := verify(t, m)
		if !has(report, audit.Moved, a.Seq) || !has(report, audit.Moved, b.Seq) || !strings.Contains(report.String(),
			"its place was changed") {
			t.Errorf("numbers of %d and %d: %v", i+1, i+2, report)
		}
		// The records themselves are, as in a file.
		m = good.clone()
		m.records[i], m.records[i+1] = m.records[i+1], m.records[i]
		if report := verify(t, m); !has(report, audit.Missing, int64(i+1)) || !has(report, audit.WrongOrder,
			int64(i+1)) {
			t.Errorf("%d and %d: %v", i+1, i+2, report)
		}
		// With hashes of their own that fit their new places.
		m.records[i].Seq, m.records[i+1].Seq = int64(i+1), int64(i+2)
		m.records[i].Previous, m.records[i+1].Previous = m.records[i+1].Previous, m.records[i].Previous
		for k := i; k < i+2; k++ {
			m.records[k].Hash = audit.Sum(m.records[k])
		}
		if report := verify(t, m); !has(report, audit.Broken, int64(i+1)) && !has(report, audit.Broken, int64(i+2)) {
			t.Errorf("%d and %d, with new hashes: %v", i+1, i+2, report)
		}
	}
}

func TestInsertions(t *testing.T) {
	good := write(t, 7)
	for i := range len(good.records) {
		forged := good.records[i]
		forged.Actor = "nobody"
		forged.Hash = audit.Sum(forged)

		m := good.clone() // next to the true one, with its number
		m.records = slices.Insert(m.records, i, forged)
		if report := verify(t, m); !has(report, audit.WrongOrder, int64(i+1)) {
			t.Errorf("next to %d: %v", i+1, report)
		}
		for k := i + 1; k < len(m.records); k++ { // before it, and all behind are renumbered
			m.records[k].Seq++
		}
		if report := verify(t, m); !has(report, audit.Moved, int64(i+2)) {
			t.Errorf("before %d: %v", i+1, report)
		}
		m.rechain(i) // and all have hashes that fit: only the anchor knows
		if !verify(t, m).Holds || !has(verify(t, m, good.headAt(7)), audit.Rewritten, 1) {
			t.Errorf("before %d, rewritten: %v", i+1, verify(t, m, good.headAt(7)))
		}
	}
	for _, seq := range []int64{0, -1, math.MinInt64 + 1} {
		m := good.clone()
		forged := good.records[0]
		forged.Seq = seq
		forged.Hash = audit.Sum(forged)
		m.records = slices.Insert(m.records, 0, forged)
		if report := verify(t, m); !has(report, audit.Edited, seq) || len(report.Findings) != 2 {
			t.Errorf("record %d: %v", seq, report)
		}
	}
}

// TestRewritten: if a consistent chain was rewritten, anchors show between which records.
func TestRewritten(t *testing.T) {
	good := write(t, 20)
	var anchors []audit.Head
	for seq := 5; seq <= 20; seq += 5 {
		anchors = append(anchors, good.headAt(seq))
	}
	for i := range good.records {
		m := good.clone()
		m.records[i].Reason = "another"
		m.rechain(i)
		if !verify(t, m).Holds {
			t.Fatal("the forged chain does not fit in itself")
		}
		report := verify(t, m, anchors...)
		from := int64(i/5*5 + 1)
		if len(report.Findings) != 1 || !has(report, audit.Rewritten, from) || report.Findings[0].To != from+4 ||
			report.AnchoredTo != from-1 || report.Held+report.Refuted != 4 {
			t.Errorf("record %d: %+v", i+1, report)
		}
	}
}

func TestHeadOfTheDatabase(t *testing.T) {
	m := write(t, 3)
	for _, head := range []audit.Head{{}, m.headAt(2), {Seq: 4, Hash: m.records[2].Hash},
		{Seq: 3, Hash: m.records[1].Hash}} {
		m.head = &head
		if report := verify(t, m); !has(report, audit.WrongHead, head.Seq) {
			t.Errorf("head %d: %v", head.Seq, report)
		}
	}
}

func TestReport(t *testing.T) {
	m := write(t, 3)
	if text := verify(t, m).String(); !strings.Contains(text,
		"3 records, the last is 3 of 2026-03-01 23:01:59 UTC. The chain holds.") ||
		!strings.Contains(text, "No anchored head") {
		t.Error(text)
	}
	if text := verify(t, m, m.headAt(2)).String(); !strings.Contains(text,
		"1 of 1 anchored heads match. Nothing outside vouches for the records from 3 on.") {
		t.Error(text)
	}
	if text := verify(t, m, m.headAt(3)).String(); strings.Contains(text, "Nothing outside") {
		t.Error(text)
	}
	if err := audit.Write(m, audit.Record{Time: start.Add(-time.Hour), Actor: "a", Action: "b",
		Subject: "c"}); err != nil {
		t.Error(err)
	}
	report := verify(t, m)
	if !report.Holds || report.ClockBack != 1 || report.ClockBackAt != 4 || !strings.Contains(report.String(),
		"clock was set back 1 time, first at record 4") {
		t.Error(report)
	}
	m.records[1].Reason = "x"
	data, err := json.Marshal(verify(t, m))
	var back audit.Report
	if err != nil || json.Unmarshal(data, &back) != nil || !reflect.DeepEqual(back, verify(t, m)) ||
		!strings.Contains(string(data), `"fault":"edited","seq":2`) {
		t.Errorf("%s: %+v, %v", data, back, err)
	}
	big := write(t, 300)
	for i := range big.records {
		big.records[i].Actor = "nobody"
	}
	if report := verify(t, big); len(report.Findings) != 100 || report.More != 200 || report.Holds ||
		!strings.Contains(report.String(), "findings: 300") {
		t.Errorf("%d and %d more", len(report.Findings), report.More)
	}
}

type failing struct {
	*memory
	err error
}

func (f failing) AuditRecords(after int64, limit int) ([]audit.Record, error) {
	if f.err == nil {
		return f.records[:1], nil // whatever was asked for
	}
	return nil, f.err
}

func TestNotVerified(t *testing.T) {
	m := write(t, 3)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.Verify(ended, m, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := audit.Verify(t.Context(), failing{m, broken}, nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := audit.Verify(t.Context(), failing{m, nil}, nil); err == nil || !strings.Contains(err.Error(),
		"records behind 1 were asked for") {
		t.Error(err)
	}
	for _, anchor := range []audit.Head{{}, {Seq: 1}, {Seq: -1, Hash: m.records[0].Hash},
		{Seq: 2, Hash: make([]byte, 31)}} {
		if report, err := audit.Verify(t.Context(), m, []audit.Head{anchor}); err == nil || report.Holds {
			t.Errorf("%+v is an anchor", anchor)
		}
	}
}
