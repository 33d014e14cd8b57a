package audit

import (
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/termtext"
)

// Fault is a way in which a log was damaged.
type Fault string

// The faults.
const (
	Edited     Fault = "edited"     // a record does not match its hash
	Moved      Fault = "moved"      // a record matches its hash with another number
	Missing    Fault = "missing"    // a number is missing
	WrongOrder Fault = "order"      // a number occurs twice, or too late
	Broken     Fault = "broken"     // a record does not have the hash of the previous one
	WrongHead  Fault = "head"       // the head that the database keeps is not its last record
	Cut        Fault = "cut"        // an anchored record is after the log's end
	Rewritten  Fault = "rewritten"  // an anchored record has another hash
	Unreadable Fault = "unreadable" // a line of an export cannot be read
)

// Finding is one fault, with its place.
type Finding struct {
	Fault Fault  `json:"fault"`
	Seq   int64  `json:"seq"`            // the record, or the first of some
	To    int64  `json:"to,omitempty"`   // the last of some
	Line  int64  `json:"line,omitempty"` // of an export, if it cannot be read
	Text  string `json:"text"`
}

// Stretch is records that follow each other.
type Stretch struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// String returns "N", or "N to M".
func (s Stretch) String() string {
	if s.From == s.To {
		return fmt.Sprint(s.From)
	}
	return fmt.Sprintf("%d to %d", s.From, s.To)
}

// Report is the result of [Verify].
type Report struct {
	Holds      bool  `json:"holds"` // there are no findings
	Records    int64 `json:"records"`
	Head       Head  `json:"head"`            // the log's end, as it was read
	Anchors    int   `json:"anchors"`         // how many heads were given
	Held       int   `json:"held"`            // of these, how many match their record
	Refuted    int   `json:"refuted"`         // how many do not; then the records of others are missing or edited
	AnchoredTo int64 `json:"anchored_to"`     // the last record that an anchor confirms
	Since      int64 `json:"since,omitempty"` // only the records after this one were read, see VerifySince
	// Unanchored are stretches of records that have no head of their own: until the next head was
	// written, nothing outside confirmed them. They are not findings, because heads may have failed.
	Unanchored     []Stretch `json:"unanchored,omitempty"`
	MoreUnanchored int       `json:"more_unanchored,omitempty"` // stretches that were not kept
	Findings       []Finding `json:"findings,omitempty"`
	More           int       `json:"more,omitempty"` // findings that were not kept

	// The clock was set back: not a fault, but worth a question.
	ClockBack   int   `json:"clock_back,omitempty"`
	ClockBackAt int64 `json:"clock_back_at,omitempty"` // the first record that is before its predecessor
}

// String returns the report as text, in lines.
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(termtext.Counted(int(r.Records), "record"))
	if r.Since > 0 {
		fmt.Fprintf(&b, " behind record %d, which was verified before", r.Since)
	}
	if r.Records > 0 {
		fmt.Fprintf(&b, ", the last is %d of %s", r.Head.Seq, r.Head.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if r.Holds {
		b.WriteString(". The chain holds.\n")
	} else {
		fmt.Fprintf(&b, ". THE CHAIN DOES NOT HOLD; findings: %d\n", len(r.Findings)+r.More)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %-10s %s\n", f.Fault, f.Text)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.More)
	}
	switch {
	case r.Anchors == 0:
		b.WriteString("No anchored head was given: a tail cut off, or a chain rewritten as a whole, " +
			"would not be seen.\n")
	default:
		fmt.Fprintf(&b, "%d of %d anchored heads match.", r.Held, r.Anchors)
		if r.AnchoredTo < r.Head.Seq {
			fmt.Fprintf(&b, " Nothing outside vouches for the records from %d on.", r.AnchoredTo+1)
		}
		b.WriteByte('\n')
		r.writeUnanchored(&b)
	}
	if r.ClockBack > 0 {
		fmt.Fprintf(&b, "The clock was set back %s, first at record %d.\n", termtext.Counted(r.ClockBack, "time"),
			r.ClockBackAt)
	}
	return b.String()
}

func (r Report) writeUnanchored(b *strings.Builder) {
	if len(r.Unanchored) == 0 {
		return
	}
	texts := make([]string, len(r.Unanchored))
	for i, s := range r.Unanchored {
		texts[i] = s.String()
	}
	fmt.Fprintf(b, "Records without a head of their own: %s", strings.Join(texts, ", "))
	if r.MoreUnanchored > 0 {
		fmt.Fprintf(b, " and %d more stretches", r.MoreUnanchored)
	}
	b.WriteString(". Until the next head, nothing outside vouched for them.\n")
}
