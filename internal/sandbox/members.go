package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
)

// members are the members of one JSON object, their values exactly as received. Names are compared exactly, unlike
// decoding into a struct, which would take "transactionid" for "TransactionId".
type members map[string]json.RawMessage

var (
	errNotJSON   = errors.New("is not JSON")
	errNotObject = errors.New("is not a JSON object")
)

func parseMembers(b []byte) (members, error) {
	var m members
	switch err := json.Unmarshal(b, &m); {
	case err == nil && m != nil:
		return m, nil
	case json.Valid(b):
		return nil, errNotObject
	default:
		return nil, errNotJSON
	}
}

// has reports whether the member is there and not null.
func (m members) has(name string) bool {
	v, ok := m[name]
	return ok && string(v) != "null"
}

// text returns the value of a member that is a JSON string, else "" and false.
func (m members) text(name string) (string, bool) {
	v := m[name]
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// scalar returns a string's value, or a number's digits as written: senders disagree on whether a code is a number.
func (m members) scalar(name string) string {
	if s, ok := m.text(name); ok {
		return s
	}
	var n json.Number
	if v := m[name]; len(v) > 0 && v[0] != '"' && json.Unmarshal(v, &n) == nil {
		return n.String()
	}
	return ""
}

// object returns the members of a nested object; nil and no error when it is absent or null.
func (m members) object(name string) (members, error) {
	if !m.has(name) {
		return nil, nil
	}
	o, err := parseMembers(m[name])
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return o, nil
}

// objects returns the members of each object in an array; nil and no error when the array is absent or null.
func (m members) objects(name string) ([]members, error) {
	if !m.has(name) {
		return nil, nil
	}
	var raw []json.RawMessage
	if json.Unmarshal(m[name], &raw) != nil {
		return nil, fmt.Errorf("%s is not a JSON array", name)
	}
	list := make([]members, len(raw))
	for i, r := range raw {
		o, err := parseMembers(r)
		if err != nil {
			return nil, fmt.Errorf("%s[%d] %w", name, i, err)
		}
		list[i] = o
	}
	return list, nil
}
