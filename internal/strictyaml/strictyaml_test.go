package strictyaml_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/strictyaml"
)

type address struct {
	Name string `yaml:"name"`
	Mode string `yaml:"mode" enum:"keep,upstream"`
}

func (*address) Short() string { return "name" }

type even int

func (e *even) UnmarshalText(text []byte) error {
	if _, err := fmt.Sscan(string(text), (*int)(e)); err != nil || *e%2 != 0 {
		return errors.New("is not even")
	}
	return nil
}

type file struct {
	Listen  address   `yaml:"listen"`
	Routes  []address `yaml:"routes"`
	Strict  bool      `yaml:"strict"`
	Count   int       `yaml:"count"`
	Even    even      `yaml:"even"`
	Pointer *address  `yaml:"pointer"`
	Hidden  string
}

func TestDecode(t *testing.T) {
	var f file
	lines, err := strictyaml.Decode("f.yaml", []byte(
		"listen: a\nroutes:\n- b\n- {name: 0600, mode: keep}\nstrict: true\ncount: 3\neven: 4\npointer: c\n"), &f)
	want := file{
		Listen: address{Name: "a"}, Routes: []address{{Name: "b"}, {Name: "0600", Mode: "keep"}},
		Strict: true, Count: 3, Even: 4, Pointer: &address{Name: "c"},
	}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, %v", f, err)
	}
	if lines["routes[1].mode"] != 4 || lines["strict"] != 5 {
		t.Error(lines)
	}
}

// TestFaults: all faults come at once, each with its line.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown, doubled and wrong",
			"lisen: a\nstrict: 1\ncount: x\nstrict: true\neven: 3\nroutes:\n- {name: a, mode: keeep}\n",
			`f:1: lisen: there is no such key; did you mean "listen"?
f:2: strict: is "1": give true or false
f:3: count: is "x": give a whole number
f:4: strict: occurs twice: the first is in line 2
f:5: even: is not even
f:7: routes[0].mode: is "keeep": give keep or upstream; did you mean "keep"?`},
		{"nothing near", "zzzzzz: 1\n", "f:1: zzzzzz: there is no such key"},
		{"a field without a key", "Hidden: 1\n", "f:1: Hidden: there is no such key"},
		{"second document", "count: 1\n---\ncount: 2\n", "f: there is a second document: a file has one"},
		{"empty", "# nothing\n", "f: the file is empty"},
		{"no value", "listen:\n", "f:1: listen: has no value: add one, or remove the key"},
		{"a list in place of a value", "strict: [true]\n", "f:1: strict: is a list where one value is wanted"},
		{"a value in place of a mapping", "just text\n", "f:1: is a value where a mapping is wanted"},
		{"alias", "listen: &a x\nroutes: [*a]\n",
			"f:1: listen: anchors and aliases are not allowed: write the value again\n" +
				"f:2: routes[0]: anchors and aliases are not allowed: write the value again"},
		{"merge key", "<<: {count: 1}\n", "f:1: <<: there is no such key"},
		{"syntax", "count: 1\n\tx", "f:2: found a tab character that violates indentation"},
	} {
		var f file
		_, err := strictyaml.Decode("f", []byte(c.text), &f)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", c.name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("listen: a\nroutes: [b, {name: c}]\n"))
	f.Add([]byte("a: &b [*b]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var into file
		if _, err := strictyaml.Decode("f", data, &into); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}

func TestSchema(t *testing.T) {
	got, err := json.Marshal(strictyaml.Schema(reflect.TypeFor[file](), func(s, f string) string {
		if s == "file" && f == "Count" {
			return "how many"
		}
		return ""
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"count":{"description":"how many","type":"integer"}`, `"additionalProperties":false`,
		`"mode":{"enum":["keep","upstream"]}`, `"listen":{"$ref":"#/$defs/address"}`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
