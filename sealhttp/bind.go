package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/profile"
)

// requestInfo holds the values of a request that its response must repeat.
type requestInfo struct {
	endpoint profile.Match
	payload  []byte
}

// bind compares the signed response with its siblings in the body and with the request, so
// that an old response cannot replace a new one. A member that is missing from the response
// is not compared. The error wraps ErrContradiction.
func (r requestInfo) bind(lane *sealane.Lane, siblings []member, payload []byte) error {
	contradiction := func(format string, args ...any) error {
		return failure(
			lane,
			sealane.OpBind,
			sealane.ErrContradiction,
			fault.BindContradiction,
			fmt.Sprintf(format, args...),
		)
	}
	got, err := strictjson.TopLevel(payload)
	if err != nil && len(payload) > 0 && !errors.Is(err, strictjson.ErrNotObject) && r.endpoint.Binds() {
		return contradiction("the signed response cannot be compared with its request: it is %v", err)
	}
	// A response that is empty or not an object has no identifiers.
	for name := range r.endpoint.Bind() {
		if outer, ok := find(siblings, name); ok && !r.isVariable(name, plainText(outer)) {
			return contradiction("%s outside the token is not the one in the request's path", name)
		}
	}
	for _, s := range siblings {
		if signed, ok := find(got, s.Name); ok && !same(s.Value, signed) {
			return contradiction("%s outside the token is not the signed one", s.Name)
		}
	}
	for name := range r.endpoint.Bind() {
		signed, ok := find(got, name)
		if text, isString := strictjson.String(signed); ok && (!isString || !r.isVariable(name, text)) {
			return contradiction("%s in the signed response is not the one in the request's path", name)
		}
	}
	request, err := strictjson.TopLevel(r.payload)
	if err != nil {
		return nil
	}
	for name := range r.endpoint.Echo() {
		want, asks := find(request, name)
		signed, answers := find(got, name)
		if asks && answers && !same(want, signed) {
			return contradiction("%s in the signed response is not the request's", name)
		}
	}
	return nil
}

// isVariable reports whether the request's path has the value for a variable.
func (r requestInfo) isVariable(name, value string) bool {
	want, ok := r.endpoint.Variable(name)
	return ok && value == want
}

// identifier returns the member to send next to the token, with its value as JSON. It comes
// from the payload if that has one, else from the path variable of that name.
func (r requestInfo) identifier(payload []byte) (name string, id []byte, ok bool) {
	name = r.endpoint.Identifier()
	if name == "" {
		return "", nil, false
	}
	if members, err := strictjson.TopLevel(payload); err == nil {
		if value, found := find(members, name); found {
			return name, value, true
		}
	}
	text, ok := r.endpoint.Variable(name)
	return name, appendString(nil, text), ok
}

// plainText returns the content of a JSON string, or any other value unchanged.
func plainText(value []byte) string {
	if text, ok := strictjson.String(value); ok {
		return text
	}
	return string(value)
}

func find(members []member, name string) ([]byte, bool) {
	i := slices.IndexFunc(members, func(m member) bool { return m.Name == name })
	if i < 0 {
		return nil, false
	}
	return members[i].Value, true
}

// same reports whether two JSON values are equal: strings by their content, others
// byte for byte.
func same(a, b []byte) bool {
	textA, okA := strictjson.String(a)
	textB, okB := strictjson.String(b)
	if okA && okB {
		return textA == textB
	}
	return bytes.Equal(a, b)
}
