package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
)

// recorder keeps what Next answers until it is sealed, up to a limit.
type recorder struct {
	header http.Header // as the service sees it
	sent   http.Header // as it was when the answer began
	status int
	body   bytes.Buffer
	limit  int
	wrote  bool
	err    error // why the answer cannot be sealed
}

func newRecorder(limit int) *recorder {
	return &recorder{header: http.Header{}, status: http.StatusOK, limit: limit}
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if a.wrote || status < 200 { // informational answers are not sealed, nor passed on
		return
	}
	a.status, a.wrote = status, true
	a.sent = a.header.Clone() // later changes would be trailers
	if e := a.header.Get("Content-Encoding"); e != "" && e != "identity" {
		a.err = formatError(fault.ContentEncoding, fmt.Sprintf("the service answered with Content-Encoding %.40q, though not asked to", e))
	}
}

func (a *recorder) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if errors.Is(a.err, sealane.ErrTooLarge) { // no smaller piece may follow the one that is missing
		return 0, a.err
	}
	if a.body.Len()+len(p) > a.limit {
		a.err = &sealane.Error{Op: "read answer", Sentinel: sealane.ErrTooLarge, Fault: fault.PayloadLarge,
			Detail: fmt.Sprintf("the service answered with more than %d bytes", a.limit)}
		return 0, a.err
	}
	return a.body.Write(p)
}

// plainOnly are headers that describe the plain body and would be wrong, or tell
// something about it, beside a sealed one.
var plainOnly = []string{"Content-Length", "Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer", "Transfer-Encoding"}

// copyTo sends the answer with body for a body, or as it is where body is nil.
func (a *recorder) copyTo(w http.ResponseWriter, body []byte) {
	a.WriteHeader(http.StatusOK)
	if body != nil {
		for _, name := range plainOnly {
			a.sent.Del(name)
		}
	} else {
		body = a.body.Bytes()
		a.sent.Del("Content-Length")
	}
	for name, values := range a.sent {
		w.Header()[name] = values
	}
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	w.Write(body) // an error here is the client's going away
}
