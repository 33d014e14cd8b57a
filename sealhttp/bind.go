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

// asked is what an answer has to agree with.
type asked struct {
	endpoint *profile.Endpoint
	vars     map[string]string // of the path
	sent     []byte            // the request's payload
}

// bind holds what stands outside the seal, and what was asked, against what was
// signed, so that an old answer cannot stand in for a new one. A member that the
// answer does not have contradicts nothing. The error wraps ErrContradiction.
func (x asked) bind(beside []member, payload []byte) error {
	got, err := strictjson.TopLevel(payload)
	if err != nil && len(payload) > 0 && !errors.Is(err, strictjson.ErrNotObject) && x.endpoint.Identifier != "" {
		return contradiction("the signed answer cannot be held against its request: it is %v", err)
	}
	// An answer that is no object, or empty, has no identifiers of its own.
	for _, name := range x.endpoint.Bind {
		if outer, ok := find(beside, name); ok && plainText(outer) != x.vars[name] {
			return contradiction("%s outside the seal is not the one in the request's path", name)
		}
	}
	for _, b := range beside {
		if signed, ok := find(got, b.Name); ok && !same(b.Value, signed) {
			return contradiction("%s outside the seal is not the signed one", b.Name)
		}
	}
	for _, name := range x.endpoint.Bind {
		signed, ok := find(got, name)
		if text, isString := strictjson.String(signed); ok && (!isString || text != x.vars[name]) {
			return contradiction("%s in the signed answer is not the one in the request's path", name)
		}
	}
	if len(x.endpoint.Echo) == 0 {
		return nil
	}
	request, err := strictjson.TopLevel(x.sent)
	if err != nil {
		return nil
	}
	for _, name := range x.endpoint.Echo {
		want, asks := find(request, name)
		signed, answers := find(got, name)
		if asks && answers && !same(want, signed) {
			return contradiction("%s in the signed answer is not the request's", name)
		}
	}
	return nil
}

// identifier gives what to send beside the seal, as JSON: the payload's member as
// it stands, else the path's variable of that name.
func (x asked) identifier(payload []byte) (name string, id []byte, ok bool) {
	name = x.endpoint.Identifier
	if name == "" {
		return "", nil, false
	}
	if members, err := strictjson.TopLevel(payload); err == nil {
		if value, found := find(members, name); found {
			return name, value, true
		}
	}
	text, ok := x.vars[name]
	return name, appendString(nil, text), ok
}

// plainText is what a JSON string says, or any other value as it stands.
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

// same compares JSON values: strings as what they say, others as they stand.
func same(a, b []byte) bool {
	textA, okA := strictjson.String(a)
	textB, okB := strictjson.String(b)
	if okA && okB {
		return textA == textB
	}
	return bytes.Equal(a, b)
}

func contradiction(format string, args ...any) error {
	return &sealane.Error{Op: "bind answer", Sentinel: sealane.ErrContradiction,
		Fault: fault.BindContradiction, Detail: fmt.Sprintf(format, args...)}
}
