// Package strictyaml reads configuration files strictly: one document, and no unknown or
// duplicate keys. It returns all faults at once, with their lines and the nearest key.
//
// A file is read into a struct. The field tag yaml is the key (options after a comma do not
// count), and the tag enum lists the values that a string may have. A type that implements
// [encoding.TextUnmarshaler] reads its own text. A type that implements [Shorthand] may be
// written as a single value. A list of one may be written as its only value.
package strictyaml

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/internal/nearest"
)

// Shorthand is implemented by a struct that may be written as a single value, which is that
// of the key that Short returns.
type Shorthand interface{ Short() string }

// Fault is one error in a file.
type Fault struct {
	Line int    // 0: none
	Path string // such as routes[0].listen
	Text string
	// Meant is the path of the key that a misspelled one probably means.
	Meant string
}

// Faults are all errors in a file, in the order of its lines.
type Faults struct {
	Name string // of the file
	List []Fault
}

// Has reports whether there is a fault in the value at a path, or that value was meant by another key.
func (f *Faults) Has(path string) bool {
	return slices.ContainsFunc(f.List, func(one Fault) bool {
		return within(one.Path, path) || one.Meant != "" && within(one.Meant, path)
	})
}

// Error returns a line for each fault: "FILE:LINE: PATH: TEXT", or "line LINE: PATH: TEXT" if
// the file has no name.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, one := range f.List {
		var parts []string
		switch {
		case f.Name != "" && one.Line > 0:
			parts = append(parts, f.Name+":"+strconv.Itoa(one.Line))
		case f.Name != "":
			parts = append(parts, f.Name)
		case one.Line > 0:
			parts = append(parts, "line "+strconv.Itoa(one.Line))
		}
		if one.Path != "" {
			parts = append(parts, one.Path)
		}
		lines[i] = strings.Join(append(parts, one.Text), ": ")
	}
	return strings.Join(lines, "\n")
}

// Decode reads a file of that name into v, a pointer to a struct. It returns the lines of all keys
// by their paths, such as "routes[0].listen". An error is a *[Faults].
func Decode(name string, data []byte, v any) (lines map[string]int, err error) {
	return decode(&decoder{lines: map[string]int{}}, name, data, v)
}

// DecodeAliases is like [Decode], and allows anchors and aliases. The number of values is
// limited, because a small file with aliases can have very many.
func DecodeAliases(name string, data []byte, v any) (lines map[string]int, err error) {
	return decode(&decoder{lines: map[string]int{}, aliases: true}, name, data, v)
}

func decode(d *decoder, name string, data []byte, v any) (lines map[string]int, err error) {
	root, err := document(data)
	switch {
	case err != nil:
		d.faults = append(d.faults, syntaxFault(err))
	case root == nil:
		d.fault(0, "", "the file is empty")
	default:
		d.value(root, reflect.ValueOf(v).Elem(), "", "")
	}
	if len(d.faults) == 0 {
		return d.lines, nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return a.Line - b.Line })
	return d.lines, &Faults{name, d.faults}
}

var errSecond = errors.New("there is a second document: a file has one")

// document returns the root of the only document.
func document(data []byte) (*yaml.Node, error) {
	y := yaml.NewDecoder(bytes.NewReader(data))
	var node yaml.Node
	if err := y.Decode(&node); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := y.Decode(new(yaml.Node)); err == nil {
		return nil, errSecond
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return node.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): `)

func syntaxFault(err error) Fault {
	text, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return Fault{Line: line, Text: strings.TrimPrefix(text, "yaml: ")}
}

type decoder struct {
	lines   map[string]int
	faults  []Fault
	aliases bool // are allowed
	values  int  // read so far
}

// maxValues is how many values a file may have when its aliases are written out.
const maxValues = 100_000

func (d *decoder) fault(line int, path, format string, args ...any) {
	d.faults = append(d.faults, Fault{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// value reads a node into v. The tag enum lists what a string may be.
func (d *decoder) value(node *yaml.Node, v reflect.Value, path, enum string) {
	d.lines[path] = node.Line
	if d.values++; d.values >= maxValues {
		if d.values == maxValues {
			d.fault(node.Line, path, "there are more than %d values in the file", maxValues)
		}
		return
	}
	if d.aliases && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case !d.aliases && (node.Kind == yaml.AliasNode || node.Anchor != ""):
		d.fault(node.Line, path, "anchors and aliases are not allowed: write the value again")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(node, v.Elem(), path, enum)
	case reflect.PointerTo(v.Type()).Implements(textType):
		d.text(node, v, path)
	case v.Kind() == reflect.Struct:
		d.object(node, v, path)
	case v.Kind() == reflect.Slice:
		d.list(node, v, path)
	default:
		d.scalar(node, v, path, enum)
	}
}

func (d *decoder) text(node *yaml.Node, v reflect.Value, path string) {
	if !d.isScalar(node, path) {
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(node.Value)); err != nil {
		d.fault(node.Line, path, "%v", err)
	}
}

func (d *decoder) isScalar(node *yaml.Node, path string) bool {
	switch {
	case node.Kind != yaml.ScalarNode:
		d.fault(node.Line, path, "is %s where one value is wanted", kindOf(node))
	case node.Tag == "!!null":
		d.fault(node.Line, path, "has no value: add one, or remove the key")
	default:
		return true
	}
	return false
}

func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a value"
}

func (d *decoder) scalar(node *yaml.Node, v reflect.Value, path, enum string) {
	if !d.isScalar(node, path) {
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(node.Value)
		if allowed := strings.Split(enum, ","); enum != "" && !slices.Contains(allowed, node.Value) {
			d.fault(node.Line, path, "is %.40q: give %s%s", node.Value, strings.Join(allowed, " or "),
				meant(node.Value, allowed))
		}
	case reflect.Bool:
		if node.Tag != "!!bool" {
			err = errors.New("true or false")
		} else {
			v.SetBool(strings.EqualFold(node.Value, "true"))
		}
	case reflect.Int:
		var n int64
		if n, err = strconv.ParseInt(node.Value, 10, 64); err != nil {
			err = errors.New("a whole number")
		}
		v.SetInt(n)
	default:
		panic(fmt.Sprintf("strictyaml: a %s cannot be read", v.Type()))
	}
	if err != nil {
		d.fault(node.Line, path, "is %.40q: give %v", node.Value, err)
	}
}

func (d *decoder) list(node *yaml.Node, v reflect.Value, path string) {
	items := node.Content
	if node.Kind != yaml.SequenceNode {
		items = []*yaml.Node{node} // a list of one
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i), "")
	}
}

func (d *decoder) object(node *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	if short, ok := v.Addr().Interface().(Shorthand); ok && node.Kind != yaml.MappingNode {
		for _, f := range fields {
			if f.key == short.Short() {
				d.value(node, v.Field(f.index), path, f.enum)
			}
		}
		return
	}
	if node.Kind != yaml.MappingNode {
		d.fault(node.Line, path, "is %s where a mapping is wanted", kindOf(node))
		return
	}
	first := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if line := first[key.Value]; line > 0 {
			d.fault(key.Line, at, "occurs twice: the first is in line %d", line)
			continue
		}
		first[key.Value] = key.Line
		f := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		if f < 0 {
			d.fault(key.Line, at, "there is no such key%s", instead(key.Value, keysOf(fields)))
			if near := nearest.Word(key.Value, keysOf(fields)); near != "" {
				d.faults[len(d.faults)-1].Meant = strings.TrimPrefix(path+"."+near, ".")
			}
			continue
		}
		d.value(value, v.Field(fields[f].index), at, fields[f].enum)
		d.lines[at] = key.Line
	}
}

// field is a field of a struct that has a key.
type field struct {
	key, enum string
	index     int
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
			fields = append(fields, field{key, t.Field(i).Tag.Get("enum"), i})
		}
	}
	return fields
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// instead returns the nearest key of a mapping, or all of them if none is near and they are few.
func instead(word string, keys []string) string {
	const few = 10
	near := meant(word, keys)
	if n := len(keys); near == "" && 1 < n && n <= few {
		return fmt.Sprintf("; there are %s and %s", strings.Join(keys[:n-1], ", "), keys[n-1])
	}
	return near
}

// meant returns "; did you mean …?" with the nearest of some words, or "" if none is near.
func meant(word string, words []string) string {
	best := nearest.Word(word, words)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
