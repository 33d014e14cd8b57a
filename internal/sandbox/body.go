package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// What the stand-ins hold and read at most.
const (
	bodyLimit    = 1 << 20
	docvLimit    = 32 << 20
	defaultKept  = 10_000
	keptBytes    = 64 << 20
	maxNameBytes = 256 // identifiers and workflow names that are stored
)

var errTooLarge = errors.New("request body is over the limit")

// readBody reads at most limit bytes and returns errTooLarge for more.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, errTooLarge
	}
	return b, err
}

// writeJSON encodes before it writes the status, so that an answer is whole or is a 500.
func writeJSON(w http.ResponseWriter, status int, v any) {
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
	_, _ = w.Write(b.Bytes()) // a client that has gone needs no answer
}

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now().UTC()
	}
	return now().UTC()
}

func orDefault(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}
