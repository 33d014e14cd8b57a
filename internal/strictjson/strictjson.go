// Package strictjson reads one JSON object more strictly than encoding/json: UTF-8 only,
// names compared as they are spelt, no name twice at any depth (RFC 7493 section 2.3),
// nothing after the object. Values are returned as the bytes of the input, so that they
// never need to be encoded again.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The reasons why an input is refused.
var (
	ErrUTF8      = errors.New("not valid UTF-8")
	ErrSyntax    = errors.New("not one JSON value")
	ErrNotObject = errors.New("not a JSON object")
	ErrDuplicate = errors.New("member occurs twice")
	ErrDepth     = errors.New("nested too deeply")
)

const (
	maxDepth   = 32
	maxMembers = 10_000 // in one object; bounds the memory of the duplicate check
)

// Member is one member of an object. Value aliases the input.
type Member struct {
	Name  string
	Value []byte
}

// Object reads data as exactly one JSON object. Errors are one of the above, wrapped with
// the member's name if there is one.
func Object(data []byte) ([]Member, error) {
	return read(scanner{data: data})
}

// TopLevel is Object for payloads that are only inspected: inside the members' values,
// names may occur twice and any depth is allowed.
func TopLevel(data []byte) ([]Member, error) {
	return read(scanner{data: data, shallow: true})
}

func read(s scanner) ([]Member, error) {
	if !utf8.Valid(s.data) {
		return nil, ErrUTF8
	}
	if !json.Valid(s.data) {
		return nil, ErrSyntax
	}
	if s.skipSpace(); s.data[s.pos] != '{' {
		return nil, ErrNotObject
	}
	return s.object(1)
}

// String reads value as a JSON string.
func String(value []byte) (string, bool) {
	text, ok := Text(value)
	return string(text), ok
}

// Text is like String. The result is part of value if the string has no escapes.
func Text(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if body := value[1 : len(value)-1]; bytes.IndexByte(body, '\\') < 0 {
		return body, true
	}
	var s string
	err := json.Unmarshal(value, &s)
	return []byte(s), err == nil
}

// scanner reads data that json.Valid has accepted, and relies on that.
type scanner struct {
	data    []byte
	pos     int
	shallow bool // do not look inside the members' values
}

func (s *scanner) skipSpace() {
	for {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) object(depth int) ([]Member, error) {
	var members []Member
	var seen names
	for {
		s.pos++ // past '{' or ','
		if s.skipSpace(); s.data[s.pos] == '}' {
			s.pos++
			return members, nil
		}
		name, _ := String(s.string())
		if !seen.add(name) {
			return nil, fmt.Errorf("%w: %.64q", ErrDuplicate, name)
		}
		if seen.n > maxMembers {
			return nil, fmt.Errorf("%w: more than %d members in one object", ErrSyntax, maxMembers)
		}
		s.skipSpace()
		s.pos++ // past ':'
		value, err := s.value(depth)
		if err != nil {
			return nil, err
		}
		if depth == 1 {
			members = append(members, Member{name, value})
		}
		if s.skipSpace(); s.data[s.pos] == '}' {
			s.pos++
			return members, nil
		}
	}
}

// names are the names of one object. Few objects have more than fit without a map.
type names struct {
	n    int
	few  [8]string
	many map[string]struct{}
}

// add reports whether the name is new.
func (s *names) add(name string) bool {
	s.n++
	if s.many == nil {
		for _, known := range s.few[:min(s.n-1, len(s.few))] {
			if known == name {
				return false
			}
		}
		if s.n <= len(s.few) {
			s.few[s.n-1] = name
			return true
		}
		s.many = map[string]struct{}{}
		for _, known := range s.few {
			s.many[known] = struct{}{}
		}
	}
	if _, twice := s.many[name]; twice {
		return false
	}
	s.many[name] = struct{}{}
	return true
}

func (s *scanner) value(depth int) ([]byte, error) {
	s.skipSpace()
	start := s.pos
	var err error
	switch s.data[s.pos] {
	case '"':
		s.string()
	case '{', '[':
		if s.shallow {
			s.skip()
			break
		}
		if depth == maxDepth {
			return nil, ErrDepth
		}
		if s.data[s.pos] == '{' {
			_, err = s.object(depth + 1)
		} else {
			err = s.array(depth + 1)
		}
	default:
		end := bytes.IndexAny(s.data[s.pos:], ",]} \t\r\n")
		s.pos += end
	}
	return s.data[start:s.pos], err
}

// skip passes over an object or array.
func (s *scanner) skip() {
	for open := 0; ; {
		switch s.data[s.pos] {
		case '"':
			s.string()
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		if s.pos++; open == 0 {
			return
		}
	}
}

func (s *scanner) array(depth int) error {
	for {
		s.pos++ // past '[' or ','
		if s.skipSpace(); s.data[s.pos] == ']' {
			s.pos++
			return nil
		}
		if _, err := s.value(depth); err != nil {
			return err
		}
		if s.skipSpace(); s.data[s.pos] == ']' {
			s.pos++
			return nil
		}
	}
}

func (s *scanner) string() []byte {
	start := s.pos
	for s.pos++; ; {
		i := bytes.IndexAny(s.data[s.pos:], `"\`)
		s.pos += i + 1
		if s.data[s.pos-1] == '"' {
			return s.data[start:s.pos]
		}
		s.pos++ // the escaped character
	}
}
