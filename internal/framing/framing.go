// Package framing tells whether it is known where an HTTP response ends.
package framing

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Unframed reports whether only the end of the connection tells where a response ends. Such a response may be cut,
// and nobody can tell.
func Unframed(r *http.Response) bool {
	return r.ProtoMajor == 1 && r.ContentLength < 0 && len(r.TransferEncoding) == 0 && !r.Uncompressed &&
		r.Body != nil && r.Body != http.NoBody
}

const mark = "Transfer-Encoding"

// Mark marks the header of a response that is unframed. net/http sends a response with this mark in the same way:
// it ends with the connection.
func Mark(h http.Header) { h.Set(mark, "identity") }

// Marked reports whether a header is that of an unframed response.
func Marked(h http.Header) bool { return h.Get(mark) == "identity" }

// Whole reports whether a body surely is whole: one JSON object, array or string. A number or a word could be the
// beginning of something else.
func Whole(body []byte) bool {
	start := bytes.TrimLeft(body, " \t\r\n")
	return json.Valid(body) && bytes.ContainsAny(start[:1], `{["`)
}
