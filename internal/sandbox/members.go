package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Members are the members of one JSON object, with their values as received. Names are
// compared exactly, unlike decoding into a struct, which accepts "transactionid" for
// "TransactionId".
type Members map[string]json.RawMessage

var (
	ErrNotJSON   = errors.New("is not JSON")
	ErrNotObject = errors.New("is not a JSON object")
)

func ParseMembers(b []byte) (Members, error) {
	var m Members
	switch err := json.Unmarshal(b, &m); {
	case err == nil && m != nil:
		return m, nil
	case json.Valid(b):
		return nil, ErrNotObject
	default:
		return nil, ErrNotJSON
	}
}

// Has reports whether the member is there and not null.
func (m Members) Has(name string) bool {
	v, ok := m[name]
	return ok && string(v) != "null"
}

// Text returns the value of a member that is a JSON string, or "" and false.
func (m Members) Text(name string) (string, bool) {
	v := m[name]
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// Scalar returns the value of a string, or a number as written: senders disagree on whether
// a code is a number.
func (m Members) Scalar(name string) string {
	if s, ok := m.Text(name); ok {
		return s
	}
	var n json.Number
	if v := m[name]; len(v) > 0 && v[0] != '"' && json.Unmarshal(v, &n) == nil {
		return n.String()
	}
	return ""
}

// Object returns the members of a nested object; nil and no error when it is absent or null.
func (m Members) Object(name string) (Members, error) {
	if !m.Has(name) {
		return nil, nil
	}
	o, err := ParseMembers(m[name])
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return o, nil
}

// Objects returns the members of each object in an array; nil and no error when the array is absent or null.
func (m Members) Objects(name string) ([]Members, error) {
	if !m.Has(name) {
		return nil, nil
	}
	var raw []json.RawMessage
	if json.Unmarshal(m[name], &raw) != nil {
		return nil, fmt.Errorf("%s is not a JSON array", name)
	}
	list := make([]Members, len(raw))
	for i, r := range raw {
		o, err := ParseMembers(r)
		if err != nil {
			return nil, fmt.Errorf("%s[%d] %w", name, i, err)
		}
		list[i] = o
	}
	return list, nil
}
