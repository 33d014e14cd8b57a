package jose

import (
	"bytes"
	"fmt"

	"github.com/sealane/sealane/internal/fault"
)

// split cuts a compact serialization at its dots into exactly len(parts) parts.
// It allocates nothing and looks at each byte at most twice, however many dots
// there are.
func split(token []byte, parts [][]byte, layer fault.Layer, kind Kind) error {
	refuse := func(f fault.TokenFault, format string, args ...any) error {
		return &Error{Kind: kind, Fault: f.In(layer), Detail: fmt.Sprintf(format, args...)}
	}
	if len(token) == 0 {
		return refuse(fault.Empty, "token is empty")
	}
	if trimmed := bytes.TrimLeft(token, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if kind == NotJWS && !bytes.Contains(trimmed, []byte(`"signature`)) {
			return &Error{Kind: kind, Fault: fault.InnerNotSigned, Detail: "what was encrypted is JSON that nobody has signed"}
		}
		return refuse(fault.JSONSerialization, "token is JSON; only compact serialization is read")
	}
	rest := token
	last := len(parts) - 1
	for i := range last {
		dot := bytes.IndexByte(rest, '.')
		if dot < 0 {
			f := fault.Parts
			if kind == NotJWE && i == 2 { // three parts, as a JWS has
				f = fault.Swapped
			}
			return refuse(f, "token has %d parts, not %d", i+1, len(parts))
		}
		parts[i], rest = rest[:dot], rest[dot+1:]
	}
	if more := bytes.Count(rest, []byte{'.'}); more > 0 {
		f := fault.Parts
		if kind == NotJWS && more == 2 { // five parts, as a JWE has
			f = fault.Swapped
		}
		return refuse(f, "token has %d parts, not %d", len(parts)+more, len(parts))
	}
	parts[last] = rest
	return nil
}

// part decodes one part into dst, which may alias src.
func part(dst, src []byte, name string, layer fault.Layer, kind Kind) ([]byte, error) {
	n, f, err := decode(dst, src)
	if err != nil {
		return nil, &Error{Kind: kind, Fault: f.In(layer), Detail: name + " is not base64url", Err: err}
	}
	return dst[:n], nil
}

// sized refuses a part that does not stand for a right number of bytes, before
// it is decoded. A foreign character is the likelier reason, so it is named first.
func sized(src []byte, right func(n int) bool, name, want string, f fault.Code, layer fault.Layer, kind Kind) error {
	n := decodedLen(len(src))
	if right(n) {
		return nil
	}
	if foreign, err := firstForeign(src); err != nil {
		return &Error{Kind: kind, Fault: foreign.In(layer), Detail: name + " is not base64url", Err: err}
	}
	return &Error{Kind: kind, Fault: f, Detail: fmt.Sprintf("%s has %d bytes, not %s", name, n, want)}
}

func exactly(length int) func(int) bool { return func(n int) bool { return n == length } }

// header decodes and reads the protected header of either layer.
func header(src []byte, layer fault.Layer, kind Kind) (Header, error) {
	if len(src) > encodedLen(maxHeader) {
		return Header{}, &Error{Kind: kind, Fault: fault.HeaderTooLarge.In(layer),
			Detail: fmt.Sprintf("header has %d characters, more than %d", len(src), encodedLen(maxHeader))}
	}
	data, err := part(make([]byte, len(src)), src, "header", layer, kind)
	if err != nil {
		return Header{}, err
	}
	return parseHeader(data, layer, kind)
}

// allowed refuses an algorithm that is not in list, byte for byte.
func allowed(alg string, list []string, f fault.Code, kind Kind, what string) error {
	for _, a := range list {
		if a == alg {
			return nil
		}
	}
	return &Error{Kind: kind, Fault: f, Detail: fmt.Sprintf("%s %.40q is not allowed here, only %q", what, alg, list)}
}
