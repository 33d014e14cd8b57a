package registry

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/termtext"
)

// RowFault is a way in which a row and the audit log contradict each other.
type RowFault string

// The faults of rows.
const (
	RowDamaged    RowFault = "damaged"    // it can't be read
	RowUnrecorded RowFault = "unrecorded" // no record has it
	RowDiffers    RowFault = "differs"    // its last record has it otherwise
	RowMissing    RowFault = "missing"    // its last record has it, and it is not there
	RowBetween    RowFault = "between"    // a record changed it, and it was not as the one before had it
	RowsWithout   RowFault = "empty-log"  // there are rows, and no record at all
	RowForged     RowFault = "forged"     // it is as recorded, and its MAC is wrong
)

// RowFinding is one fault of a row.
type RowFinding struct {
	Fault   RowFault `json:"fault"`
	Row     string   `json:"row,omitempty"`     // its name in records, such as "certificate/c-1"
	Seq     int64    `json:"seq,omitempty"`     // its last record
	Members []string `json:"members,omitempty"` // those that differ
	Text    string   `json:"text"`
	// Sum identifies what the row is now, for AcceptRows; it is empty where there is none.
	Sum string `json:"sum,omitempty"`
}

// RowsReport is the result of VerifyRows.
type RowsReport struct {
	Holds    bool         `json:"holds"` // nothing was found
	Rows     int          `json:"rows"`
	Records  int          `json:"records"`
	Findings []RowFinding `json:"findings,omitempty"`
	More     int          `json:"more,omitempty"` // findings that were not kept
	// NoMACs says why the MACs of API keys were not checked; it is empty if they were.
	NoMACs string `json:"macs_not_checked,omitempty"`
	// Checksum is that of the findings, by which AcceptRows knows what was looked into. It is empty
	// if nothing was found.
	Checksum string `json:"checksum,omitempty"`
}

// checksum returns the beginning of the SHA-256 of the findings.
func (r RowsReport) checksum() string {
	sum := sha256.New()
	for _, f := range r.Findings {
		fmt.Fprintf(sum, "%s\x00%s\x00%d\x00%s\x00%s\n", f.Fault, f.Row, f.Seq, f.Sum, f.Text)
	}
	fmt.Fprintf(sum, "%d\n", r.More)
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// maxRowFindings is how many findings a report keeps.
const maxRowFindings = 1000

// String returns the report as text, in lines.
func (r RowsReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. ", termtext.Counted(r.Rows, "row"), termtext.Counted(r.Records, "record"))
	if r.Holds {
		b.WriteString("Each row is as its last record has it. Uses of keys, and nodes, have no records.\n")
		if r.NoMACs != "" {
			fmt.Fprintf(&b, "The MACs of API keys were not checked: %s\n", r.NoMACs)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "THE ROWS ARE NOT AS THEY WERE RECORDED; findings: %d\n", len(r.Findings)+r.More)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %-10s %s\n", f.Fault, f.Text)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.More)
	}
	fmt.Fprintf(&b, "Checksum of the findings: %s\n", r.Checksum)
	return b.String()
}

func (r *RowsReport) add(f RowFinding) {
	if len(r.Findings) < maxRowFindings {
		r.Findings = append(r.Findings, f)
	} else {
		r.More++
	}
}

// differences returns the members that two forms of a row have otherwise, and a text about each.
func differences(recorded, now json.RawMessage) (members, texts []string) {
	was, is := membersOf("", recorded), membersOf("", now)
	names := slices.Sorted(maps.Keys(was))
	for name := range is {
		if _, both := was[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if was[name] == is[name] {
			continue
		}
		members = append(members, name)
		texts = append(texts, fmt.Sprintf("its %s is %s, recorded is %s", name, shown(is[name]), shown(was[name])))
	}
	return members, texts
}

// shown returns a value of a record, shortened.
func shown(value string) string {
	const most = 80
	switch {
	case value == "":
		return "empty"
	case len(value) > most:
		return strings.ToValidUTF8(value[:most], "") + "…"
	}
	return value
}

// membersOf returns the members of an object, those of objects in it by their path.
func membersOf(path string, object json.RawMessage) map[string]string {
	var members map[string]json.RawMessage
	all := map[string]string{}
	if json.Unmarshal(object, &members) != nil {
		return all
	}
	for name, value := range members {
		if len(value) > 0 && value[0] == '{' {
			maps.Copy(all, membersOf(path+name+".", value))
			continue
		}
		all[path+name] = string(value)
	}
	return all
}
