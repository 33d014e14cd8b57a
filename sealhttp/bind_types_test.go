package sealhttp_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
)

// TestIdentifiersAreComparedWithTheirType: the number 1 is not the string "1", and a value
// in a path is a string.
func TestIdentifiersAreComparedWithTheirType(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		sent               string
		outer, signed      string
		same               bool
	}{
		{"strings", "POST", "/api/evaluation", `{}`, `"eval_id":"1",`, `{"eval_id":"1"}`, true},
		{"numbers", "POST", "/api/evaluation", `{}`, `"eval_id":1,`, `{"eval_id":1}`, true},
		{"a number outside", "POST", "/api/evaluation", `{}`, `"eval_id":1,`, `{"eval_id":"1"}`, false},
		{"a number inside", "POST", "/api/evaluation", `{}`, `"eval_id":"1",`, `{"eval_id":1}`, false},
		{"an empty string outside", "POST", "/api/evaluation", `{}`, `"eval_id":"",`, `{"eval_id":1}`, false},
		{"null and its name", "POST", "/api/evaluation", `{}`, `"eval_id":"null",`, `{"eval_id":null}`, false},
		{"numbers written differently", "POST", "/api/evaluation", `{}`, `"eval_id":1.0,`, `{"eval_id":1}`, false},

		{"echoed string", "POST", "/api/evaluation", `{"id":"1"}`, ``, `{"id":"1"}`, true},
		{"echoed number", "POST", "/api/evaluation", `{"id":1}`, ``, `{"id":1}`, true},
		{"an echo of nothing", "POST", "/api/evaluation", `{}`, ``, `{"id":"1"}`, true},
		{"no echo", "POST", "/api/evaluation", `{"id":"1"}`, ``, `{}`, true},
		{"a number is echoed as a string", "POST", "/api/evaluation", `{"id":1}`, ``, `{"id":"1"}`, false},
		{"a string is echoed as a number", "POST", "/api/evaluation", `{"id":"1"}`, ``, `{"id":1}`, false},

		{"of the path", "PATCH", "/api/evaluation/1", `{}`, ``, `{"eval_id":"1"}`, true},
		{"of the path, a number", "PATCH", "/api/evaluation/1", `{}`, ``, `{"eval_id":1}`, false},
		{"of the path, true", "PATCH", "/api/evaluation/true", `{}`, ``, `{"eval_id":true}`, false},
		{"of the path, empty", "PATCH", "/api/evaluation/1", `{}`, ``, `{"eval_id":""}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := answering(t, 200, answerBody(t, c.outer, c.signed))
			_, body, err := do(t, customer(t), request(t, c.method, s.URL+c.path, c.sent))
			if c.same && (err != nil || body != c.signed) {
				t.Errorf("refused: %v", err)
			}
			if !c.same && !errors.Is(err, sealane.ErrContradiction) {
				t.Errorf("taken: %s, %v", body, err)
			}
		})
	}
}
