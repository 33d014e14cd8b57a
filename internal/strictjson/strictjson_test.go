package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/strictjson"
)

func TestObject(t *testing.T) {
	for input, want := range map[string]any{
		`{}`:                 []string(nil),
		" {\t\"a\" : 1 } \n": []string{`a=1`},
		`{"a":"x\"y","b":[1,{"c":[]}],"c":{"d":null},"e":-1.5e3,"f":true}`: []string{`a="x\"y"`, `b=[1,{"c":[]}]`,
			`c={"d":null}`, `e=-1.5e3`, `f=true`},
		`{"\u0061":1,"A":2}`:       []string{`a=1`, `A=2`},
		`{"a":1,"a":1}`:            strictjson.ErrDuplicate,
		`{"a":1,"\u0061":1}`:       strictjson.ErrDuplicate,
		`{"a":{"b":1,"b":1}}`:      strictjson.ErrDuplicate,
		`{"a":[[{"b":1,"b":1}]]}`:  strictjson.ErrDuplicate,
		`{"\ud800":1,"\udbff":1}`:  strictjson.ErrDuplicate, // other readers take both for U+FFFD
		`[]`:                       strictjson.ErrNotObject,
		`"x"`:                      strictjson.ErrNotObject,
		`1`:                        strictjson.ErrNotObject,
		``:                         strictjson.ErrSyntax,
		`{`:                        strictjson.ErrSyntax,
		`{}{}`:                     strictjson.ErrSyntax,
		`{} x`:                     strictjson.ErrSyntax,
		`{"a":1,}`:                 strictjson.ErrSyntax,
		`{"a" 1}`:                  strictjson.ErrSyntax,
		`{a:1}`:                    strictjson.ErrSyntax,
		`{"a":01}`:                 strictjson.ErrSyntax,
		"{\"a\":\"\n\"}":           strictjson.ErrSyntax,
		"\ufeff{}":                 strictjson.ErrSyntax,
		"{\"a\":\"\xff\"}":         strictjson.ErrUTF8,
		"{\"a\":\"\xed\xa0\x80\"}": strictjson.ErrUTF8, // a surrogate in UTF-8
		`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) +
			`}`: []string{`a=` + strings.Repeat("[", 31) + strings.Repeat("]", 31)},
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`: strictjson.ErrDepth,
		strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33):       strictjson.ErrDepth,
	} {
		members, err := strictjson.Object([]byte(input))
		if wanted, isError := want.(error); isError {
			if !errors.Is(err, wanted) || members != nil {
				t.Errorf("%.60q: %v, want %v", input, err, wanted)
			}
			continue
		}
		var got []string
		for _, m := range members {
			got = append(got, m.Name+"="+string(m.Value))
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%.60q: %v\n%s", input, err, diff)
		}
	}
}

func TestTopLevelLooksNoDeeper(t *testing.T) {
	deep := strings.Repeat(`[{"a":1,"a":`, 50) + `"}]\""` + strings.Repeat("}]", 50)
	members, err := strictjson.TopLevel([]byte(`{"x":` + deep + `,"y":2}`))
	if err != nil || len(members) != 2 || string(members[0].Value) != deep || string(members[1].Value) != "2" {
		t.Errorf("%v %v", members, err)
	}
	if _, err := strictjson.TopLevel([]byte(`{"x":1,"x":2}`)); !errors.Is(err, strictjson.ErrDuplicate) {
		t.Error(err)
	}
}

func TestTooManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a":1`)
	for i := range 20_000 {
		b.WriteString(`,"`)
		b.WriteString(strings.Repeat("k", 1+i%50))
		b.WriteString(string(rune('0' + i%10)))
		b.WriteString(strings.Repeat("x", i/50%60))
		b.WriteString(string(rune(0x4e00 + i)))
		b.WriteString(`":1`)
	}
	b.WriteString(`}`)
	if _, err := strictjson.Object([]byte(b.String())); !errors.Is(err, strictjson.ErrSyntax) {
		t.Error(err)
	}
}

func TestString(t *testing.T) {
	for input, want := range map[string]string{`""`: "", `"a"`: "a", `"\u0061\n\\"`: "a\n\\", `"ä"`: "ä"} {
		if got, ok := strictjson.String([]byte(input)); !ok || got != want {
			t.Errorf("%s: %q %t", input, got, ok)
		}
	}
	for _, input := range []string{`1`, `null`, `{}`, ``, `"`} {
		if got, ok := strictjson.String([]byte(input)); ok {
			t.Errorf("%s: %q", input, got)
		}
	}
}

// FuzzObject: what is accepted, encoding/json accepts with the same members, and
// the values stand in the input as they are given.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":{"b":[1,"x\\\"",{}]},"c":null}`, ` { "\u0061" : 1e5 , "b":"" } `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func([]byte) ([]strictjson.Member, error){strictjson.Object, strictjson.TopLevel} {
			members, err := read(data)
			if err != nil {
				if members != nil {
					t.Error("members and an error")
				}
				continue
			}
			var other map[string]json.RawMessage
			if err := json.Unmarshal(data, &other); err != nil || !utf8.Valid(data) || len(other) != len(members) {
				t.Fatalf("encoding/json: %v, %d members, not %d", err, len(other), len(members))
			}
			at := 0
			for _, m := range members {
				i := bytes.Index(data[at:], m.Value)
				if i < 0 || !bytes.Equal(bytes.TrimSpace(other[m.Name]), m.Value) {
					t.Fatalf("member %q is %q, encoding/json has %q", m.Name, m.Value, other[m.Name])
				}
				at += i
			}
		}
	})
}
