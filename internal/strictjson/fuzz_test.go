package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/strictjson"
)

// FuzzVerdict: an object is refused for exactly what reading the tokens of
// encoding/json finds; what is accepted and put together again from its members
// is read as the same; and TopLevel takes whatever Object takes.
func FuzzVerdict(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":{"b":[1,"x\\\"",{}]},"c":null}`, ` { "\u0061" : 1e5 , "b":"" } `, `{"a":1,"\u0061":1}`,
		`{"a":[{"b":1,"b":2}]}`, `{"a":{"b":1},"b":{"a":1}}`,
		`{"\ud800":1,"\udbff":1}`, `[{}]`, `"{}"`, `{"a":"{\"b\":1}"}`, `{}{}`, "{\"a\":\"\xff\"}",
		`{"0":0,"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,"7":7,"8":8,"9":9,"0":0}`,
		`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`,
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, `{"":{"":{"":0}}}`, `8E888`, `{"a":8E888}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		members, err := strictjson.Object(data)
		if want := verdict(data); !errors.Is(err, want) {
			t.Fatalf("%v, by the tokens of encoding/json %v", err, want)
		}
		flat, flatErr := strictjson.TopLevel(data)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		if flatErr != nil || !sameMembers(members, flat) {
			t.Fatalf("TopLevel: %v, %d members, not %d", flatErr, len(flat), len(members))
		}
		var written bytes.Buffer
		for i, m := range members {
			name, err := json.Marshal(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			written.WriteByte("{,"[min(i, 1)])
			written.Write(append(append(name, ':'), m.Value...))
			var want string
			text, isString := strictjson.String(m.Value)
			if isString != (m.Value[0] == '"') || isString && (json.Unmarshal(m.Value, &want) != nil || text != want) {
				t.Errorf("%q is the string %q, to encoding/json %q", m.Value, text, want)
			}
		}
		if len(members) == 0 {
			written.WriteByte('{')
		}
		written.WriteByte('}')
		again, err := strictjson.Object(written.Bytes())
		if err != nil || !sameMembers(members, again) {
			t.Fatalf("put together again: %v\n%q", err, written.Bytes())
		}
	})
}

func sameMembers(a, b []strictjson.Member) bool {
	return slices.EqualFunc(a, b, func(a, b strictjson.Member) bool {
		return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
	})
}

// verdict reads by encoding/json what Object reads by itself.
func verdict(data []byte) error {
	switch {
	case !utf8.Valid(data):
		return strictjson.ErrUTF8
	case !json.Valid(data):
		return strictjson.ErrSyntax
	}
	type container struct {
		names  map[string]bool // nil: an array
		isName bool            // a name comes next
	}
	var open []container
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // none is too large
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		if len(open) == 0 && token != json.Delim('{') {
			return strictjson.ErrNotObject
		}
		if name, isString := token.(string); len(open) > 0 && open[len(open)-1].isName && isString {
			in := &open[len(open)-1]
			if in.names[name] {
				return strictjson.ErrDuplicate
			}
			in.names[name], in.isName = true, false
			continue
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if len(open) == 32 {
				return strictjson.ErrDepth
			}
			if token == json.Delim('[') {
				open = append(open, container{})
			} else {
				open = append(open, container{map[string]bool{}, true})
			}
			continue
		case json.Delim('}'), json.Delim(']'):
			if open = open[:len(open)-1]; len(open) == 0 {
				return nil
			}
		}
		in := &open[len(open)-1]
		in.isName = in.names != nil
	}
}
