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
	const all = "; there are listen, routes, strict, count, even and pointer"
	for _, c := range []struct{ name, text, want string }{
		{"unknown, doubled and wrong",
			"lisen: a\nstrict: 1\ncount: x\nstrict: true\neven: 3\nroutes:\n- {name: a, mode: keeep}\n",
			`f:1: lisen: there is no such key; did you mean "listen"?
f:2: strict: is "1": give true or false
f:3: count: is "x": give a whole number
f:4: strict: occurs twice: the first is in line 2
f:5: even: is not even
f:7: routes[0].mode: is "keeep": give keep or upstream; did you mean "keep"?`},
		{"nothing near", "zzzzzz: 1\n", "f:1: zzzzzz: there is no such key" + all},
		{"a field without a key", "Hidden: 1\n", "f:1: Hidden: there is no such key" + all},
		{"second document", "count: 1\n---\ncount: 2\n", "f: there is a second document: a file has one"},
		{"empty", "# nothing\n", "f: the file is empty"},
		{"no value", "listen:\n", "f:1: listen: has no value: add one, or remove the key"},
		{"a list in place of a value", "strict: [true]\n", "f:1: strict: is a list where one value is wanted"},
		{"a value in place of a mapping", "just text\n", "f:1: is a value where a mapping is wanted"},
		{"alias", "listen: &a x\nroutes: [*a]\n",
			"f:1: listen: anchors and aliases are not allowed: write the value again\n" +
				"f:2: routes[0]: anchors and aliases are not allowed: write the value again"},
		{"merge key", "<<: {count: 1}\n", "f:1: <<: there is no such key" + all},
		{"syntax", "count: 1\n\tx", "f:2: found a tab character that violates indentation"},
	} {
		var f file
		_, err := strictyaml.Decode("f", []byte(c.text), &f)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", c.name, err, c.want)
		}
	}
}

// TestAliases: a file may have aliases where the caller says so, but only so many values.
func TestAliases(t *testing.T) {
	var f file
	_, err := strictyaml.DecodeAliases("f", []byte("listen: &a {name: x, mode: keep}\nroutes: [*a, *a]\n"), &f)
	if err != nil || len(f.Routes) != 2 || f.Routes[1] != f.Listen || f.Listen.Name != "x" {
		t.Errorf("%+v, %v", f, err)
	}
	bomb := "listen: &a {name: x, mode: keep}\nroutes: [" + strings.Repeat("*a,", 40_000) + "*a]\n"
	_, err = strictyaml.DecodeAliases("f", []byte(bomb), &f)
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Error(err)
	}
}

// TestCheck: faults of values come with those of the form, in the order of the lines. What could
// not be read has no other fault, and what is missing is in the line of what should contain it.
func TestCheck(t *testing.T) {
	var f file
	lines, err := strictyaml.Decode("f", []byte("routes:\n- {name: a}\n- {name: [b]}\ncount: 0\n"), &f)
	c := strictyaml.NewCheck(lines)
	c.Add("count", "is %d", f.Count)
	c.Add("routes[0].mode", "is missing")
	c.Add("routes[1].name", "is empty")
	want := "f:2: routes[0].mode: is missing\nf:3: routes[1].name: is a list where one value is wanted\n" +
		"f:4: count: is 0"
	if err := c.Err("f", err); err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	if !c.Has("routes[0]") || !c.Has("routes") || c.Has("strict") {
		t.Error("Has")
	}
	if err := c.Err("", nil); err == nil || !strings.HasPrefix(err.Error(), "line 2: routes[0].mode: is missing\n") {
		t.Error(err)
	}
	if err := strictyaml.NewCheck(nil).Err("f", nil); err != nil {
		t.Error(err)
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
