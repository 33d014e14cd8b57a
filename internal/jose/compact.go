package jose

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// split cuts a compact serialization at its dots into exactly len(parts) parts: all but two
// from the front, the last from the end. It does not search for dots in the remaining part,
// which is nearly all of a large token; decoding finds them.
func split(token []byte, parts [][]byte, layer fault.Layer, kind Kind) error {
	refuse := func(f fault.TokenFault, format string, args ...any) error {
		return &Error{Kind: kind, Fault: f.In(layer), Detail: fmt.Sprintf(format, args...)}
	}
	if len(token) == 0 {
		return refuse(fault.Empty, "token is empty")
	}
	if trimmed := bytes.TrimLeft(token, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if kind == NotJWS && !bytes.Contains(trimmed, []byte(`"signature`)) {
			return &Error{Kind: kind, Fault: fault.InnerNotSigned,
				Detail: "the decrypted content is unsigned JSON"}
		}
		return refuse(fault.JSONSerialization, "token is JSON; only the compact serialization is supported")
	}
	rest, last := token, len(parts)-1
	for i := range last - 1 {
		dot := bytes.IndexByte(rest, '.')
		if dot < 0 {
			return miscounted(token, len(parts), layer, kind)
		}
		parts[i], rest = rest[:dot], rest[dot+1:]
	}
	dot := bytes.LastIndexByte(rest, '.')
	if dot < 0 {
		return miscounted(token, len(parts), layer, kind)
	}
	parts[last-1], parts[last] = rest[:dot], rest[dot+1:]
	return nil
}

// miscounted returns an error if a token has another number of parts.
func miscounted(token []byte, want int, layer fault.Layer, kind Kind) error {
	n := bytes.Count(token, []byte{'.'}) + 1
	if n == want {
		return nil
	}
	f := fault.Parts
	if kind == NotJWE && n == 3 || kind == NotJWS && n == 5 {
		f = fault.Swapped
	}
	return &Error{Kind: kind, Fault: f.In(layer), Detail: fmt.Sprintf("token has %d parts, not %d", n, want)}
}

// partCountError returns err, the reason why a token could not be read, unless
// its number of parts is wrong: then that is the reason.
func partCountError(err error, token []byte, want int, layer fault.Layer, kind Kind) error {
	if err == nil {
		return nil
	}
	if e := miscounted(token, want, layer, kind); e != nil {
		return e
	}
	return err
}

// part decodes one part into dst, which may alias src.
func part(dst, src []byte, name string, layer fault.Layer, kind Kind) ([]byte, error) {
	n, f, err := decode(dst, src)
	if err != nil {
		return nil, &Error{Kind: kind, Fault: f.In(layer), Detail: name + " is not base64url", Err: err}
	}
	return dst[:n], nil
}

// checkPartLen refuses a part that does not encode that many bytes, before it is decoded.
func checkPartLen(src []byte, want int, name string, f fault.Code, layer fault.Layer, kind Kind) error {
	if decodedLen(len(src)) == want {
		return nil
	}
	return partLenError(src, strconv.Itoa(want), name, f, layer, kind)
}

// checkModulusLen refuses a part that is not as long as the modulus of an RSA key.
func checkModulusLen(src []byte, name string, f fault.Code, layer fault.Layer, kind Kind) error {
	if alg.ModulusLen(decodedLen(len(src))) {
		return nil
	}
	return partLenError(src, alg.ModulusLens(), name, f, layer, kind)
}

// partLenError reports a foreign character first, because it is the likelier reason.
func partLenError(src []byte, want, name string, f fault.Code, layer fault.Layer, kind Kind) error {
	if foreign, err := firstForeign(src, 0); err != nil {
		return &Error{Kind: kind, Fault: foreign.In(layer), Detail: name + " is not base64url", Err: err}
	}
	return &Error{Kind: kind, Fault: f,
		Detail: fmt.Sprintf("%s has %d bytes, not %s", name, decodedLen(len(src)), want)}
}

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

// choose returns the algorithm of list that a header names, byte for byte.
func choose[A fmt.Stringer](name string, list []A, f fault.Code, kind Kind, what string) (a A, err error) {
	table := alg.Table[A](list)
	if a, ok := table.Find(name); ok {
		return a, nil
	}
	return a, &Error{Kind: kind, Fault: f,
		Detail: fmt.Sprintf("%s %.40q is not allowed here, only %q", what, name, table.Names())}
}
