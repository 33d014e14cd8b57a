package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// BodyLimit is the maximum size in bytes of a message without documents.
const BodyLimit = 1 << 20

// ErrTooLarge is returned by [ReadBody] for a body over its limit.
var ErrTooLarge = errors.New("request body is over the limit")

// ReadBody reads at most limit bytes and returns [ErrTooLarge] for more.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, ErrTooLarge
	}
	return b, err
}

// WriteJSON encodes v before it writes the status, so that an answer is either complete or
// a 500.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"error":"server_error"}` + "\n")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}
