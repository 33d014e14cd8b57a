package profile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Errors says how outcomes are answered over HTTP.
type Errors struct {
	Body  string     `yaml:"body"` // JSON in which the values "$id" and "$text" are filled in
	Table []ErrorRow `yaml:"table"`
}

// ErrorRow says how one outcome is answered.
type ErrorRow struct {
	// On is the outcome.
	On Outcome `yaml:"on"`
	// Status is the HTTP status, 400 to 599.
	Status int `yaml:"status"`
	// Text is what a partner reads.
	Text string `yaml:"text"`
	// Also lists further spellings of Text that are recognized.
	Also []string `yaml:"also"`
}

// Row returns the row of an outcome.
func (e *Errors) Row(on Outcome) (ErrorRow, bool) {
	for _, row := range e.Table {
		if row.On == on {
			return row, true
		}
	}
	return ErrorRow{}, false
}

// Render writes the body of an error.
func (e *Errors) Render(id, text string) []byte {
	quoted := func(s string) string {
		b, _ := json.Marshal(s) // a string can always be marshaled
		return string(b)
	}
	return []byte(strings.NewReplacer(`"$id"`, quoted(id), `"$text"`, quoted(text)).Replace(e.Body))
}

// Recognize reads an error: its outcome, if its status and text are in the table, and its
// identifier and text, if the body has the table's form. Use status 0 for an unknown
// status.
func (e *Errors) Recognize(status int, body []byte) (on Outcome, id, text string, ok bool) {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return "", "", "", false
	}
	idPath, textPath, err := e.paths()
	if err != nil {
		return "", "", "", false
	}
	text, ok = lookUp(v, textPath)
	if !ok {
		return "", "", "", false
	}
	id, _ = lookUp(v, idPath)
	for _, row := range e.Table {
		if (row.Status == status || status == 0) && (row.Text == text || slices.Contains(row.Also, text)) {
			return row.On, id, text, true
		}
	}
	return "", id, text, true
}

// paths returns the members that lead to the identifier and to the text.
func (e *Errors) paths() (id, text []string, err error) {
	var v any
	if err := json.Unmarshal([]byte(e.Body), &v); err != nil {
		return nil, nil, fmt.Errorf("is not JSON: %w", err)
	}
	if id, text = pathOf(v, "$id"), pathOf(v, "$text"); id == nil || text == nil {
		return nil, nil, fmt.Errorf(`needs the values "$id" and "$text"`)
	}
	return id, text, nil
}

func lookUp(v any, path []string) (string, bool) {
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return "", false
		}
		v = object[name]
	}
	s, ok := v.(string)
	return s, ok && len(path) > 0
}

// pathOf finds the members that lead to a placeholder.
func pathOf(v any, placeholder string) []string {
	object, _ := v.(map[string]any)
	for name, value := range object {
		if value == placeholder {
			return []string{name}
		}
		if rest := pathOf(value, placeholder); rest != nil {
			return append([]string{name}, rest...)
		}
	}
	return nil
}

func (c check) errorTable(e *Errors) {
	if _, _, err := e.paths(); err != nil {
		c.Add("errors.body", "%v", err)
	} else if strings.Count(e.Body, `"$id"`) != 1 || strings.Count(e.Body, `"$text"`) != 1 {
		c.Add("errors.body", `needs "$id" and "$text" once each, as values and unescaped`)
	}
	seen := map[Outcome]bool{}
	for i, row := range e.Table {
		at := index("errors.table", i)
		c.oneOf(at+".on", string(row.On), outcomeNames()...)
		if seen[row.On] {
			c.Add(at+".on", "is %q for the second time: an outcome has one row", string(row.On))
		}
		seen[row.On] = true
		if row.Status < 400 || row.Status > 599 {
			c.Add(at+".status", "is %d: give a status from 400 to 599", row.Status)
		}
		c.required(at+".text", row.Text)
	}
}

func outcomeNames() []string {
	names := make([]string, len(tableOutcomes))
	for i, on := range tableOutcomes {
		names[i] = string(on)
	}
	return names
}
