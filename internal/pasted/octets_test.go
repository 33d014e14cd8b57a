package pasted_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/pasted"
)

// Octets are read as each language prints them, and nothing else is.
func TestOctets(t *testing.T) {
	want := make([]byte, 300)
	for i := range want {
		want[i] = byte(i * 7)
	}
	signed, escaped, octal := make([]string, len(want)), new(strings.Builder), new(strings.Builder)
	numbers := make([]int, len(want))
	for i, b := range want {
		signed[i], numbers[i] = fmt.Sprint(int8(b)), int(b)
		fmt.Fprintf(escaped, `\x%02x`, b)
		fmt.Fprintf(octal, `\%03o`, b)
	}
	buffer, err := json.Marshal(map[string]any{"type": "Buffer", "data": numbers})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Go":             fmt.Sprint(want),
		"Java":           "byte[] key = {" + strings.Join(signed, ", ") + "};",
		"Node":           string(buffer),
		"Python":         "b'" + escaped.String() + "'",
		"Python in JSON": `{"cer": "bytearray(b'` + strings.ReplaceAll(escaped.String(), `\`, `\\`) + `')"}`,
		"C":              `"` + escaped.String() + `"`,
		"octal":          `"` + octal.String() + `"`,
		"lists in lists": "[[" + strings.Join(signed, ",") + "]]",
	} {
		found := false
		for octets := range pasted.Octets([]byte(text), 64) {
			found = found || bytes.Contains(octets, want)
		}
		if !found {
			t.Errorf("%s: %.60q", name, text)
		}
	}
	for _, text := range []string{
		"", "[", "[]", "'", `"\`, `"\x`, "[1, 2, 300]", "[1, 2", "don't say 'no'", `{"a": [1.5]}`,
		strings.Repeat("[1,", 100),
	} {
		for octets := range pasted.Octets([]byte(text), 1) {
			t.Errorf("%q: %v", text, octets)
		}
	}
}
