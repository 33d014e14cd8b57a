package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// FaultHeader asks an [Endpoint] to misbehave in the response to this one request. Its value is a
// [Fault].
const FaultHeader = "X-Sandbox-Fault"

// FaultErrorHeader is in the response, with status 409, if the message cannot have the fault that
// was asked for. Its value is the reason.
const FaultErrorHeader = "X-Sandbox-Fault-Error"

// Endpoint serves a stand-in's service on one lane: it opens requests, seals responses, and
// adds a fault to the response if the request asks for one with [FaultHeader].
type Endpoint struct {
	lane    *sealane.Lane
	signer  keyring.Private
	handler *sealhttp.Handler

	mu       sync.Mutex
	previous []byte // the last sealed response, for Swapped
}

// NewEndpoint returns the endpoint of a lane of the server's side. signer is the active key
// of the lane; it signs responses that are sealed with a fault, and is nil if responses are
// not sealed. log may be nil.
func NewEndpoint(lane *sealane.Lane, signer keyring.Private, service http.Handler, log *slog.Logger) *Endpoint {
	return &Endpoint{lane: lane, signer: signer, handler: &sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: keepPayload(service),
		Log:  log,
	}}
}

// ServeHTTP serves with the fault that the request asks for, if any.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := Fault(r.Header.Get(FaultHeader)); f != "" {
		e.misbehave(w, r, f)
		return
	}
	response := newCapture()
	e.handler.ServeHTTP(response, r)
	e.remember(response)
	response.sendTo(w)
}

// misbehave serves the request with a fault in the response. A request that is refused
// anyway gets its refusal. If the service answers with an error, which is not sealed, there is
// no message for the fault: see [FaultErrorHeader].
func (e *Endpoint) misbehave(w http.ResponseWriter, r *http.Request, f Fault) {
	p := e.lane.Profile()
	if status, text, ok := p.ErrorRow(profile.Outcome(f)); ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(p.RenderError(uuid.NewString(), text))
		return
	}
	r, keeper := withKeeper(r)
	response := newCapture()
	e.handler.ServeHTTP(response, r)
	name, value := f.split()
	switch name {
	case Slow:
		if !pause(r.Context(), value) {
			return
		}
	case Cut:
		response.cut(w)
		return
	default:
		if keeper.called {
			e.spoil(response, keeper.payload, f)
		}
	}
	response.sendTo(w)
}

// spoil adds the fault to a sealed response.
func (e *Endpoint) spoil(response *capture, payload []byte, f Fault) {
	if response.status/100 != 2 {
		response.refuseFault("fault_not_possible",
			fmt.Sprintf("a response with status %d is not sealed and cannot have the fault %s", response.status, f))
		return
	}
	switch f {
	case Unsealed:
		response.setBody(payload)
		return
	case Swapped:
		e.swap(response)
		return
	}
	token, err := Malform(f, e.lane, e.signer, payload)
	if err != nil {
		response.status = http.StatusBadRequest
		response.setBody(fmt.Appendf(nil, `{"error":"unknown_fault","message":%q}`, err.Error()))
		return
	}
	e.replaceToken(response, token)
}

// replaceToken replaces the token of a sealed response.
func (e *Endpoint) replaceToken(response *capture, token []byte) {
	old, err := sealhttp.UnwrapToken(response.body.Bytes(), e.lane.Outbound())
	if err != nil {
		response.refuseFault("fault_not_possible", "the response has no token that could be replaced")
		return
	}
	response.setBody(bytes.Replace(response.body.Bytes(), old, token, 1))
}

// swap puts the previous response's token next to the new response's identifier.
func (e *Endpoint) swap(response *capture) {
	e.mu.Lock()
	previous := e.previous
	e.mu.Unlock()
	old, err := sealhttp.UnwrapToken(previous, e.lane.Outbound())
	if err != nil {
		response.refuseFault("no_previous_answer", "make a sealed call without a fault first")
		return
	}
	e.replaceToken(response, old)
}

func (e *Endpoint) remember(response *capture) {
	if response.status/100 == 2 && bytes.Contains(response.body.Bytes(), []byte(e.lane.Outbound().Field())) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.previous = bytes.Clone(response.body.Bytes())
	}
}

// maxDelay is the maximum value of Slow.
const maxDelay = time.Minute

// pause waits, unless the context ends first.
func pause(ctx context.Context, value string) bool {
	delay, err := time.ParseDuration(value)
	if err != nil || delay < 0 {
		delay = time.Second // "slow" without a value
	}
	timer := time.NewTimer(min(delay, maxDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// payloadKeeper keeps the plain response before it is sealed, for faults that have to seal
// it wrongly.
type payloadKeeper struct {
	called  bool // the request was not refused
	payload []byte
}

type payloadKey struct{}

func keepPayload(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keeper, ok := r.Context().Value(payloadKey{}).(*payloadKeeper)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		response := newCapture()
		next.ServeHTTP(response, r)
		keeper.called, keeper.payload = true, bytes.Clone(response.body.Bytes())
		response.sendTo(w)
	})
}

func withKeeper(r *http.Request) (*http.Request, *payloadKeeper) {
	keeper := &payloadKeeper{}
	return r.WithContext(context.WithValue(r.Context(), payloadKey{}, keeper)), keeper
}

// capture is a response that is not sent yet.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newCapture() *capture { return &capture{header: http.Header{}, status: http.StatusOK} }

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

func (c *capture) setBody(body []byte) { c.body = *bytes.NewBuffer(bytes.Clone(body)) }

// refuseFault replaces the response with one that says why it cannot have a fault.
func (c *capture) refuseFault(code, message string) {
	c.status = http.StatusConflict
	c.header = http.Header{"Content-Type": {"application/json"}, FaultErrorHeader: {message}}
	c.setBody(fmt.Appendf(nil, `{"error":%q,"message":%q}`, code, message))
}

func (c *capture) sendTo(w http.ResponseWriter) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(c.body.Len()))
	w.WriteHeader(c.status)
	w.Write(c.body.Bytes()) // if there is an error, the client is gone
}

// cut announces the whole response and sends half of it.
func (c *capture) cut(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(c.body.Len()))
	w.WriteHeader(c.status)
	w.Write(c.body.Bytes()[:c.body.Len()/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
