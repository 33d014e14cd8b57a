package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// Write adds a record to the end of the log. It sets Seq, Previous and Hash, truncates the time
// to microseconds in UTC, which both databases store, and removes white space from Before and
// After.
//
// The time may be before the head's: records are ordered by Seq, and [Verify] mentions a clock
// that was set back. A record is refused if actor, action or subject is empty, no time is set,
// Before or After is not JSON, a text is not UTF-8 or has control characters (a reason may have
// line ends and tabs), or the record is longer than [MaxRecord].
func Write(log Log, r Record) error {
	refuse := func(err error) error {
		return fmt.Errorf("audit record of %q on %q: %w", r.Action, r.Subject, err)
	}
	head, err := log.AuditHead()
	if err != nil {
		return refuse(err)
	}
	r.Seq, r.Previous = head.Seq+1, head.Hash
	if head.Seq == 0 {
		r.Previous = make([]byte, sha256.Size)
	} else if err := head.check(); err != nil {
		return refuse(fmt.Errorf("the head of the log is damaged: %w", err))
	}
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	if r.Before, err = compact("before", r.Before); err != nil {
		return refuse(err)
	}
	if r.After, err = compact("after", r.After); err != nil {
		return refuse(err)
	}
	if err := r.check(); err != nil {
		return refuse(err)
	}
	r.Hash = Sum(r)
	if n := len(r.appendLine(nil, true)); n > MaxRecord {
		return refuse(fmt.Errorf("it has %d bytes, more than %d", n, MaxRecord))
	}
	if err := log.AppendAudit(r); err != nil {
		return refuse(err)
	}
	return nil
}

// compact drops the syntax error, which contains the value.
func compact(name string, value json.RawMessage) (json.RawMessage, error) {
	if len(value) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return nil, fmt.Errorf("%s is not JSON", name)
	}
	return b.Bytes(), nil
}
