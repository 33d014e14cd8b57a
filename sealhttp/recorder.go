package sealhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/framing"
)

// recorder keeps the response of the next handler until it is answered, up to the
// lane's MaxPayload. Its memory is reserved.
type recorder struct {
	lane   *sealane.Lane
	held   *reservation
	hooks  Hooks
	header http.Header // as the service sees it
	sent   http.Header // a copy from when the response began
	status int
	body   buffer
	wrote  bool
	err    error  // why the response cannot be used
	stack  string // where the service panicked

	mu   sync.Mutex // a service may write after it has returned
	done bool       // it has returned: later writes are ignored
}

func newRecorder(lane *sealane.Lane, held *reservation, hooks Hooks) *recorder {
	return &recorder{
		lane: lane, held: held, hooks: hooks, header: http.Header{}, status: http.StatusOK, body: buffer{held: held},
	}
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.writeHeader(status)
	}
}

func (r *recorder) writeHeader(status int) {
	if status < 100 || status > 999 { // as net/http does
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if r.wrote || status < 200 { // informational responses are neither sealed nor passed on
		return
	}
	r.status, r.wrote = status, true
	r.sent = r.header.Clone() // later changes would be trailers
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return 0, errReleased
	}
	r.writeHeader(http.StatusOK)
	if !bodyAllowed(r.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if r.err != nil {
		return 0, r.err // nothing may follow the piece that is missing
	}
	if limit := r.lane.MaxPayload(); len(r.body.data)+len(p) > limit {
		r.err = failure(r.lane, sealane.OpReadResponse, sealane.ErrTooLarge, fault.PayloadLarge,
			fmt.Sprintf("the service answered with more than %d bytes", limit))
		return 0, r.err
	}
	n, err := r.body.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// finish ends the response, once the service has returned.
func (r *recorder) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	r.writeHeader(http.StatusOK)
	declared, err := strconv.Atoi(r.sent.Get("Content-Length"))
	if err == nil && declared != len(r.body.data) && bodyAllowed(r.status) {
		r.fail(fault.AnswerCut, fmt.Sprintf("the service answered with %d bytes of %d", len(r.body.data), declared))
	}
	if framing.Marked(r.sent) && bodyAllowed(r.status) && !framing.Whole(r.body.data) {
		r.fail(fault.AnswerCut, notWhole)
	}
}

// notWhole is the detail of an answer that may be cut.
const notWhole = "it has neither a length nor chunks, and is not one JSON object, array or string: it may be cut"

// panicked ends the response of a service that panicked.
func (r *recorder) panicked(reason any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	r.writeHeader(http.StatusOK)
	if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		r.fail(fault.AnswerCut, "the service aborted its response")
		return
	}
	// The value may contain anything, even a payload, so only its type is named.
	r.fail(fault.AnswerPanic, fmt.Sprintf("the service panicked with a %T", reason))
	r.stack = string(debug.Stack())
}

// fail records why the response cannot be used, unless a reason was recorded before.
func (r *recorder) fail(f fault.Code, detail string) {
	if r.err == nil {
		r.err = failure(r.lane, sealane.OpReadResponse, sealane.ErrFormat, f, detail)
	}
}

// seal returns the body of the response, sealed with keys as long as they count, and frees the memory of the plain
// one.
func (r *recorder) seal(ctx context.Context, keys sealane.SealKeys, name string, id []byte) ([]byte, error) {
	if e := r.sent.Get("Content-Encoding"); r.err == nil && e != "" && e != "identity" {
		r.fail(
			fault.ContentEncoding,
			fmt.Sprintf("the service answered with Content-Encoding %.40q, though not asked to", e),
		)
	}
	if r.err != nil {
		return nil, r.err
	}
	lane, err := r.hooks.latest(ctx, r.lane)
	if err != nil {
		return nil, err
	}
	s := sealing{lane: lane, name: name, id: id}
	if s.keys, err = lane.Known(keys); err != nil {
		return nil, err
	}
	if err := r.held.grow(s.bodyLen(len(r.body.data))); err != nil {
		return nil, err
	}
	body, err := r.hooks.sealBody(ctx, s, r.body.data)
	if err != nil {
		return nil, err
	}
	r.body.drop()
	return body, nil
}

// copyTo sends the response with a body, sealed or as the service wrote it.
func (r *recorder) copyTo(w http.ResponseWriter, request *http.Request, body []byte, sealed bool) {
	dropHopByHop(r.sent)
	if sealed {
		dropHeaders(r.sent)
		r.sent.Set("Content-Type", r.lane.Outbound().ContentType())
	}
	for name, values := range r.sent {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length") // a status without a body has none
	if bodyAllowed(r.status) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(r.status)
	writeInTime(w, request, body)
}

// bodyAllowed reports whether a response with the status has a body (RFC 9110
// sections 6.4.1 and 15.3.6).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusResetContent &&
		status != http.StatusNotModified
}
