package keyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const maxJSONDepth = 6

var errJSON = errors.New("the file starts like JSON but is not valid JSON: export the key again")

// jsonObject parses one JSON object strictly. encoding/json takes the last of two
// members with the same name and ignores their case. If two readers disagree about
// which key a file holds, that is an attack. So here names are compared byte for byte,
// after unescaping, and must be unique.
func jsonObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the JSON is not valid UTF-8: save it as UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := jsonValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object: remove it")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	return object, nil
}

// jsonValue never returns the decoder's own error, which may quote the input.
func jsonValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("the JSON is nested more than %d levels deep: this is not a JWK", maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, errJSON
	}
	switch t {
	case json.Delim('{'):
		object := make(map[string]any)
		for d.More() {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return nil, errJSON
			}
			if _, twice := object[name]; twice {
				return nil, errors.New("the JSON has a member twice: readers disagree about which counts; " +
					"export the key again")
			}
			if object[name], err = jsonValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, errJSON
		}
		return object, nil
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := jsonValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, errJSON
		}
		return list, nil
	}
	return t, nil
}
