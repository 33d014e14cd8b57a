package profile

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Outcome is what can go wrong in a way that a partner sees.
type Outcome string

// The outcomes, in the order in which they are decided.
const (
	NotSupported  Outcome = "not-supported" // the account has no exchanged key
	PlainRefused  Outcome = "plain-refused" // in clear, where the lane requires sealing
	TooLarge      Outcome = "too-large"
	Format        Outcome = "format"  // the body is not as agreed
	NotJWE        Outcome = "not-jwe" // wrong already without a key
	Decryption    Outcome = "decryption"
	NotJWS        Outcome = "not-jws"
	Signature     Outcome = "signature"
	SealingFailed Outcome = "sealing-failed" // processed, but the answer could not be sealed
	Unavailable   Outcome = "unavailable"    // the message was not judged
)

var outcomes = []Outcome{NotSupported, PlainRefused, TooLarge, Format, NotJWE, Decryption, NotJWS, Signature, SealingFailed, Unavailable}

// Errors says how outcomes go over the wire.
type Errors struct {
	Body  string     `yaml:"body"` // JSON in which the values "$id" and "$text" are filled in
	Table []ErrorRow `yaml:"table"`

	idPath, textPath []string
}

// ErrorRow is one outcome's status and text. Also lists further spellings.
type ErrorRow struct {
	On     Outcome  `yaml:"on"`
	Status int      `yaml:"status"`
	Text   string   `yaml:"text"`
	Also   []string `yaml:"also"`
}

// Row gives the row of an outcome.
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
		b, _ := json.Marshal(s) // a string always marshals
		return string(b)
	}
	return []byte(strings.NewReplacer(`"$id"`, quoted(id), `"$text"`, quoted(text)).Replace(e.Body))
}

// Recognise reads an error: the outcome where its status and text are in the
// table, and the identifier and text where the body has the table's form. Status
// 0 stands for one that is not known.
func (e *Errors) Recognise(status int, body []byte) (on Outcome, id, text string, ok bool) {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return "", "", "", false
	}
	text, ok = lookUp(v, e.textPath)
	if !ok {
		return "", "", "", false
	}
	id, _ = lookUp(v, e.idPath)
	for _, row := range e.Table {
		for _, t := range append([]string{row.Text}, row.Also...) {
			if t == text && (row.Status == status || status == 0) {
				return row.On, id, text, true
			}
		}
	}
	return "", id, text, true
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

func (e *Errors) check() error {
	var v any
	if err := json.Unmarshal([]byte(e.Body), &v); err != nil {
		return fmt.Errorf("errors.body is not JSON: %w", err)
	}
	if e.idPath, e.textPath = pathOf(v, "$id"), pathOf(v, "$text"); e.idPath == nil || e.textPath == nil {
		return fmt.Errorf(`errors.body needs the values "$id" and "$text"`)
	}
	if strings.Count(e.Body, `"$id"`) != 1 || strings.Count(e.Body, `"$text"`) != 1 {
		return fmt.Errorf(`errors.body needs "$id" and "$text" once each, as values and unescaped`)
	}
	seen := map[Outcome]bool{}
	for _, row := range e.Table {
		if err := oneOf("errors.table on", string(row.On), outcomes); err != nil {
			return err
		}
		if seen[row.On] {
			return fmt.Errorf("errors.table has %q twice", row.On)
		}
		seen[row.On] = true
		if row.Status < 400 || row.Status > 599 || row.Text == "" {
			return fmt.Errorf("errors.table %q needs a status from 400 to 599 and a text", row.On)
		}
	}
	return nil
}
