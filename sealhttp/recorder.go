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

// recorder keeps what the next handler answers until it is sealed, up to the lane's
// MaxPayload.
type recorder struct {
	lane   *sealane.Lane
	header http.Header // as the service sees it
	sent   http.Header // as it was when the response began
	status int
	body   bytes.Buffer
	wrote  bool
	err    error // why the response can't be sealed
}

func newRecorder(lane *sealane.Lane) *recorder {
	return &recorder{lane: lane, header: http.Header{}, status: http.StatusOK}
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.wrote || status < 200 { // informational answers are not sealed, nor passed on
		return
	}
	r.status, r.wrote = status, true
	r.sent = r.header.Clone() // later changes would be trailers
	if e := r.header.Get("Content-Encoding"); e != "" && e != "identity" {
		r.err = failure(r.lane, sealane.OpReadResponse, sealane.ErrFormat, fault.ContentEncoding,
			fmt.Sprintf("the service answered with Content-Encoding %.40q, though not asked to", e))
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if errors.Is(r.err, sealane.ErrTooLarge) { // no smaller piece may follow the one that is missing
		return 0, r.err
	}
	if limit := r.lane.MaxPayload(); r.body.Len()+len(p) > limit {
		r.err = failure(r.lane, sealane.OpReadResponse, sealane.ErrTooLarge, fault.PayloadLarge,
			fmt.Sprintf("the service answered with more than %d bytes", limit))
		return 0, r.err
	}
	return r.body.Write(p)
}

// plainOnly are headers that describe the plain body and would be wrong, or tell
// something about it, beside a sealed one.
var plainOnly = []string{"Content-Length", "Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer", "Transfer-Encoding"}

// copyTo sends the answer with body for a body, or as it is where body is nil.
func (r *recorder) copyTo(w http.ResponseWriter, body []byte) {
	r.WriteHeader(http.StatusOK)
	if body != nil {
		for _, name := range plainOnly {
			r.sent.Del(name)
		}
	} else {
		body = r.body.Bytes()
		r.sent.Del("Content-Length")
	}
	for name, values := range r.sent {
		w.Header()[name] = values
	}
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(r.status)
	w.Write(body) // an error here is the client's going away
}
