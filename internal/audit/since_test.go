package audit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/audit"
)

func since(t testing.TB, m *memory, verified audit.Head, anchors ...audit.Head) audit.Report {
	t.Helper()
	r, err := audit.VerifySince(t.Context(), m, verified, anchors)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Behind a head that was verified, everything is found as by Verify; before it, nothing is read.
func TestVerifySince(t *testing.T) {
	m := write(t, 20)
	verified := m.headAt(12)
	r := since(t, m, verified, m.headAt(5), m.headAt(12), m.headAt(15))
	if !r.Holds || r.Records != 8 || r.Since != 12 || r.Head.Seq != 20 || r.Anchors != 2 || r.Held != 2 ||
		r.AnchoredTo != 15 {
		t.Errorf("%+v", r)
	}
	if want := "8 records behind record 12, which was verified before"; !strings.HasPrefix(r.String(), want) {
		t.Errorf("%s, want %s", r, want)
	}
	if r := since(t, m, m.headAt(20)); !r.Holds || r.Records != 0 || r.Head.Seq != 20 {
		t.Errorf("nothing is new: %+v", r)
	}
	if r := since(t, m, m.headAt(1)); !r.Holds || r.Records != 19 {
		t.Errorf("behind the first: %+v", r)
	}
	for name, c := range map[string]struct {
		change func(*memory)
		fault  audit.Fault
		seq    int64
	}{
		"an edit behind it": {func(m *memory) { m.records[14].Actor = "eve" }, audit.Edited, 15},
		"an edit of it":     {func(m *memory) { m.records[11].Actor = "eve" }, audit.Edited, 12},
		"one less behind it": {func(m *memory) {
			m.records = slices.Delete(m.records, 13, 14)
		}, audit.Missing, 14},
		"it is not there": {func(m *memory) {
			m.records = slices.Delete(m.records, 11, 12)
		}, audit.Missing, 12},
		"the log ends before it": {func(m *memory) { m.records = m.records[:10] }, audit.Cut, 11},
		"the chain was rewritten": {func(m *memory) {
			m.records[2].Actor = "eve"
			m.rechain(2)
		}, audit.Rewritten, 12},
		"rewritten behind it only": {func(m *memory) {
			m.records[16].Actor = "eve"
			m.rechain(16)
		}, audit.Rewritten, 13},
	} {
		changed := m.clone()
		c.change(changed)
		if r := since(t, changed, verified, m.headAt(18)); r.Holds || !has(r, c.fault, c.seq) {
			t.Errorf("%s: %s", name, r)
		}
	}
	if _, err := audit.VerifySince(t.Context(), m, audit.Head{}, nil); err == nil {
		t.Error("no head is taken for one")
	}
}

// Stretches that no head covers by itself are listed.
func TestStretchesWithoutHeads(t *testing.T) {
	m := write(t, 12)
	for _, c := range []struct {
		heads []int
		want  []audit.Stretch
		text  string
	}{
		{[]int{1, 2, 3, 4}, nil, ""},
		{[]int{3, 4, 9}, []audit.Stretch{{From: 1, To: 2}, {From: 5, To: 8}}, "of their own: 1 to 2, 5 to 8."},
		{[]int{1, 3}, []audit.Stretch{{From: 2, To: 2}}, "of their own: 2."},
	} {
		var heads []audit.Head
		for _, seq := range c.heads {
			heads = append(heads, m.headAt(seq))
		}
		r := verify(t, m, heads...)
		if !r.Holds || !slices.Equal(r.Unanchored, c.want) || !strings.Contains(r.String(), c.text) {
			t.Errorf("heads %v: %v\n%s", c.heads, r.Unanchored, r)
		}
	}
}
