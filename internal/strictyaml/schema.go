package strictyaml

import (
	"reflect"
	"strings"
)

// SchemaPattern is implemented by a type that reads its own text. It returns the regular
// expression of that text.
type SchemaPattern interface{ SchemaPattern() string }

// Schema returns the JSON Schema (draft 2020-12) of the files that [Decode] reads into a struct of
// type t. describe returns the description of a field of a struct, or "".
func Schema(t reflect.Type, describe func(structName, fieldName string) string) map[string]any {
	s := &schema{describe: describe, defs: map[string]any{}}
	root := s.object(t)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$defs"] = s.defs
	return root
}

type schema struct {
	describe func(structName, fieldName string) string
	defs     map[string]any
}

func (s *schema) of(t reflect.Type, enum string) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem(), enum)
	case reflect.PointerTo(t).Implements(textType):
		text := map[string]any{"type": []string{"string", "number"}}
		if p, ok := reflect.New(t).Interface().(SchemaPattern); ok {
			text["pattern"] = p.SchemaPattern()
		}
		return text
	case t.Kind() == reflect.Struct:
		name := t.Name()
		if _, known := s.defs[name]; !known {
			s.defs[name] = nil // a type that contains itself ends here
			s.defs[name] = s.shorthand(t)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	case t.Kind() == reflect.Slice:
		item := s.of(t.Elem(), "")
		return map[string]any{"anyOf": []any{map[string]any{"type": "array", "items": item}, item}}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Int:
		return map[string]any{"type": "integer"}
	}
	text := map[string]any{"type": []string{"string", "number"}}
	if enum != "" {
		return map[string]any{"enum": strings.Split(enum, ",")}
	}
	return text
}

// shorthand returns the schema of a struct, or of the single value that stands for it.
func (s *schema) shorthand(t reflect.Type) map[string]any {
	short, ok := reflect.New(t).Interface().(Shorthand)
	if !ok {
		return s.object(t)
	}
	for _, f := range fieldsOf(t) {
		if f.key == short.Short() {
			return map[string]any{"anyOf": []any{s.of(t.Field(f.index).Type, f.enum), s.object(t)}}
		}
	}
	panic("strictyaml: " + t.Name() + " has no key " + short.Short())
}

func (s *schema) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	for _, f := range fieldsOf(t) {
		one := s.of(t.Field(f.index).Type, f.enum)
		if text := s.describe(t.Name(), t.Field(f.index).Name); text != "" {
			one["description"] = text
		}
		properties[f.key] = one
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}
