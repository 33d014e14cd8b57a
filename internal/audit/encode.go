package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxRecord is the maximum length of a record, as a line of an export.
const MaxRecord = 8 << 20

const (
	stamp     = "2006-01-02T15:04:05.000000Z"
	fineStamp = "2006-01-02T15:04:05.000000000Z" // for times that this package has not written
)

func appendTime(b []byte, t time.Time) []byte {
	if t.Nanosecond()%1000 != 0 {
		return t.UTC().AppendFormat(b, fineStamp)
	}
	return t.UTC().AppendFormat(b, stamp)
}

// Sum returns the hash of a record: the SHA-256 of the line that [Export] writes for it,
// without the line's end and without its last member, "hash", and the comma before that. Other
// tools can compute it, line by line:
//
//	sed -n 7p audit.jsonl | sed 's/,"hash":"[0-9a-f]*"}$/}/' | tr -d '\n' | sha256sum
//
// The line is a JSON object in UTF-8, with no blank outside of strings and these
// members in this order: seq, time, actor, action, subject, partner, environment,
// reason, before, after, previous, hash.
//
//   - seq is a decimal number.
//   - time is in UTC to the microsecond, as 2026-01-31T23:59:59.000000Z.
//   - previous and hash are in hexadecimal, small letters; the first record's
//     previous is 64 zeros.
//   - partner, environment, reason, before and after are left out where empty.
//   - before and after are the stored bytes: JSON without blanks.
//   - Strings have a backslash before " and \, and bytes below 0x20 as \u00xx in
//     small letters; nothing else is escaped.
//
// Different records have different lines: records with text that is not UTF-8 or with
// incomplete JSON, which would not, are neither written nor verified.
func Sum(r Record) []byte {
	sum := sha256.Sum256(r.appendLine(nil, false))
	return sum[:]
}

// MarshalJSON returns the record as a line of an export.
func (r Record) MarshalJSON() ([]byte, error) { return r.appendLine(nil, true), nil }

// MarshalJSON returns the head as anchors store it: seq, time, and hash in hexadecimal.
func (h Head) MarshalJSON() ([]byte, error) { return h.appendLine(nil), nil }

// Bytes of an incomplete JSON value must not become separate members, so a value that is
// not JSON is written as a string: an export of a damaged log can still be read.
func (r Record) appendLine(b []byte, hash bool) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, r.Seq, 10)
	b = append(b, `,"time":"`...)
	b = appendTime(b, r.Time)
	b = append(b, '"')
	for _, m := range r.texts() {
		if m.needed || m.text != "" {
			b = append(b, `,"`+m.name+`":`...)
			b = appendString(b, m.text)
		}
	}
	for _, m := range r.values() {
		if len(m.value) == 0 {
			continue
		}
		b = append(b, `,"`+m.name+`":`...)
		if checkJSON(m.value) == nil {
			b = append(b, m.value...)
		} else {
			b = appendString(b, string(m.value))
		}
	}
	b = append(b, `,"previous":"`...)
	b = hex.AppendEncode(b, r.Previous)
	if hash {
		b = append(b, `","hash":"`...)
		b = hex.AppendEncode(b, r.Hash)
	}
	return append(b, `"}`...)
}

type text struct {
	name, text string
	needed     bool
}

func (r Record) texts() [6]text {
	return [6]text{
		{"actor", r.Actor, true}, {"action", r.Action, true}, {"subject", r.Subject, true},
		{"partner", r.Partner, false}, {"environment", r.Environment, false}, {"reason", r.Reason, false},
	}
}

type value struct {
	name  string
	value json.RawMessage
}

func (r Record) values() [2]value { return [2]value{{"before", r.Before}, {"after", r.After}} }

func (h Head) appendLine(b []byte) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, h.Seq, 10)
	b = append(b, `,"time":"`...)
	b = appendTime(b, h.Time)
	b = append(b, `","hash":"`...)
	b = hex.AppendEncode(b, h.Hash)
	return append(b, `"}`...)
}

// encoding/json is not used because its choice of escapes has changed between versions.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s { // a byte that is not UTF-8 becomes U+FFFD
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// UnmarshalJSON parses a line of an export.
func (r *Record) UnmarshalJSON(line []byte) error {
	type plain Record
	in := struct {
		*plain
		Previous hexBytes `json:"previous"`
		Hash     hexBytes `json:"hash"`
	}{plain: (*plain)(r)}
	err := json.Unmarshal(line, &in)
	r.Previous, r.Hash = in.Previous, in.Hash
	return err
}

// UnmarshalJSON parses a head as anchors store it.
func (h *Head) UnmarshalJSON(line []byte) error {
	type plain Head
	in := struct {
		*plain
		Hash hexBytes `json:"hash"`
	}{plain: (*plain)(h)}
	err := json.Unmarshal(line, &in)
	h.Hash = in.Hash
	return err
}

// check returns an error if Write would have refused the record. It does not check hashes.
func (r Record) check() error {
	if r.Seq < 1 {
		return fmt.Errorf("its number is %d", r.Seq)
	}
	if err := checkTime(r.Time); err != nil {
		return err
	}
	for _, m := range r.texts() {
		if m.needed && m.text == "" {
			return fmt.Errorf("%s is empty", m.name)
		}
		if !utf8.ValidString(m.text) {
			return fmt.Errorf("%s is not UTF-8", m.name)
		}
		for _, c := range m.text {
			if unicode.IsControl(c) && (m.name != "reason" || c != '\n' && c != '\r' && c != '\t') {
				return fmt.Errorf("%s has the control character %U", m.name, c)
			}
		}
	}
	for _, m := range r.values() {
		if err := checkJSON(m.value); len(m.value) > 0 && err != nil {
			return fmt.Errorf("%s %w", m.name, err)
		}
	}
	if len(r.Previous) != sha256.Size {
		return fmt.Errorf("its previous hash has %d bytes, not %d", len(r.Previous), sha256.Size)
	}
	if r.Flaw != "" {
		return errors.New(r.Flaw)
	}
	return nil
}

func checkTime(t time.Time) error {
	t = t.UTC()
	switch {
	case t.IsZero():
		return fmt.Errorf("its time is not set")
	case t.Year() < 1 || t.Year() > 9999:
		return fmt.Errorf("its time is in the year %d", t.Year())
	case t.Nanosecond()%1000 != 0:
		return fmt.Errorf("its time is finer than a microsecond")
	}
	return nil
}

func checkJSON(value []byte) error {
	var compact bytes.Buffer
	switch {
	case !utf8.Valid(value):
		return fmt.Errorf("is not UTF-8")
	case json.Compact(&compact, value) != nil:
		return fmt.Errorf("is not JSON")
	case !bytes.Equal(compact.Bytes(), value):
		return fmt.Errorf("has blanks between its parts")
	}
	return nil
}

func (h Head) check() error {
	if h.Seq < 1 {
		return fmt.Errorf("record %d can't be a head", h.Seq)
	}
	if len(h.Hash) != sha256.Size {
		return fmt.Errorf("record %d: its hash has %d bytes, not %d", h.Seq, len(h.Hash), sha256.Size)
	}
	return nil
}
