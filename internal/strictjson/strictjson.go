// Package strictjson reads one JSON object more strictly than encoding/json:
// UTF-8 only, names compared as they are spelt, no name twice at any depth
// (RFC 7493 section 2.3), nothing behind the object. Values come back as the
// bytes that stand in the input, so that nothing is ever written again.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// What an input can be refused for.
var (
	ErrUTF8      = errors.New("not valid UTF-8")
	ErrSyntax    = errors.New("not one JSON value")
	ErrNotObject = errors.New("not a JSON object")
	ErrDuplicate = errors.New("member stands twice")
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

// Object reads data as exactly one JSON object. Errors are one of the above,
// wrapped with the member's name where there is one.
func Object(data []byte) ([]Member, error) {
	return read(scanner{data: data})
}

// TopLevel is Object for payloads that are only looked at: what is inside the
// members' values may have names twice and any depth.
func TopLevel(data []byte) ([]Member, error) {
	return read(scanner{data: data, shallow: true})
}

func read(w scanner) ([]Member, error) {
	if !utf8.Valid(w.data) {
		return nil, ErrUTF8
	}
	if !json.Valid(w.data) {
		return nil, ErrSyntax
	}
	if w.skipSpace(); w.data[w.pos] != '{' {
		return nil, ErrNotObject
	}
	return w.object(1)
}

// String reads value as a JSON string.
func String(value []byte) (string, bool) {
	text, ok := Text(value)
	return string(text), ok
}

// Text is like String. What it returns is part of value where the string has no escapes.
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

// scanner goes through data that json.Valid has accepted; its steps rely on that.
type scanner struct {
	data    []byte
	pos     int
	shallow bool // do not look inside the members' values
}

func (w *scanner) skipSpace() {
	for {
		switch w.data[w.pos] {
		case ' ', '\t', '\r', '\n':
			w.pos++
		default:
			return
		}
	}
}

func (w *scanner) object(depth int) ([]Member, error) {
	var members []Member
	var seen names
	for {
		w.pos++ // past '{' or ','
		if w.skipSpace(); w.data[w.pos] == '}' {
			w.pos++
			return members, nil
		}
		name, _ := String(w.string())
		if !seen.add(name) {
			return nil, fmt.Errorf("%w: %.64q", ErrDuplicate, name)
		}
		if seen.n > maxMembers {
			return nil, fmt.Errorf("%w: more than %d members in one object", ErrSyntax, maxMembers)
		}
		w.skipSpace()
		w.pos++ // past ':'
		value, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		if depth == 1 {
			members = append(members, Member{name, value})
		}
		if w.skipSpace(); w.data[w.pos] == '}' {
			w.pos++
			return members, nil
		}
	}
}

// names are those of one object; few objects have more than fit without a map.
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

func (w *scanner) value(depth int) ([]byte, error) {
	w.skipSpace()
	start := w.pos
	var err error
	switch w.data[w.pos] {
	case '"':
		w.string()
	case '{', '[':
		if w.shallow {
			w.skip()
			break
		}
		if depth == maxDepth {
			return nil, ErrDepth
		}
		if w.data[w.pos] == '{' {
			_, err = w.object(depth + 1)
		} else {
			err = w.array(depth + 1)
		}
	default:
		end := bytes.IndexAny(w.data[w.pos:], ",]} \t\r\n")
		w.pos += end
	}
	return w.data[start:w.pos], err
}

// skip passes over an object or array.
func (w *scanner) skip() {
	for open := 0; ; {
		switch w.data[w.pos] {
		case '"':
			w.string()
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		if w.pos++; open == 0 {
			return
		}
	}
}

func (w *scanner) array(depth int) error {
	for {
		w.pos++ // past '[' or ','
		if w.skipSpace(); w.data[w.pos] == ']' {
			w.pos++
			return nil
		}
		if _, err := w.value(depth); err != nil {
			return err
		}
		if w.skipSpace(); w.data[w.pos] == ']' {
			w.pos++
			return nil
		}
	}
}

func (w *scanner) string() []byte {
	start := w.pos
	for w.pos++; ; {
		i := bytes.IndexAny(w.data[w.pos:], `"\`)
		w.pos += i + 1
		if w.data[w.pos-1] == '"' {
			return w.data[start:w.pos]
		}
		w.pos++ // the escaped character
	}
}
