package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/unread"
	"github.com/sealane/sealane/profile"
)

// Handler is the server's side of lanes: it opens requests, calls Next with the payload,
// and seals the response of Next. Next sees plain JSON in both directions, and learns who
// signed from [MessageFrom].
//
// A Handler records the whole response of Next before it answers. If the response is
// aborted or shorter than its Content-Length, or Next panics, the answer has the outcome
// [sealane.ErrSealingFailed]: the request may have been processed. A
// profile without that outcome has the status 500, or 502 for an aborted response. A response
// with Transfer-Encoding: identity has no length: it is aborted if it is not whole JSON.
//
// The http.Server should have time-outs. Without a ReadTimeout, a sealed body must arrive
// within a minute. Without a WriteTimeout, a client must read 64 KiB of its response within
// a minute, and 64 KiB a second after the first minute. A Handler never changes a deadline
// of the http.Server; one that an outer handler has set is replaced.
type Handler struct {
	// Lane authenticates the caller and returns its lane, which has no keys if none were
	// exchanged. [ErrUnauthenticated] is answered 401, other errors 503.
	Lane LaneFunc
	// Next serves the opened requests, and the unencrypted ones that the lane allows.
	Next http.Handler

	// Log receives a line for each refusal. The default is slog.Default().
	Log *slog.Logger
	// NewID returns the identifier for the answer to a request that could not be opened.
	// The default is a random UUID.
	NewID func() string
	// MaxInFlight limits the number of sealed requests that are opened, served or sealed at
	// a time. Reading a body and writing a response do not count. The default is
	// DefaultMaxInFlight.
	MaxInFlight int
	// MaxHeld limits the bytes of memory that all sealed requests use at a time: bodies as
	// they arrive, payloads, responses, and the buffers for sealing. Requests are refused
	// when they use half of it, so that the other half is left for responses. A single
	// request may use more if no other is served. The default is DefaultMaxHeld.
	MaxHeld int64
	// MaxInFlightPerLane and MaxHeldPerLane limit the share of one lane. The default is
	// three quarters of what other lanes leave; a server of one lane should set them to
	// MaxInFlight and MaxHeld.
	MaxInFlightPerLane int
	MaxHeldPerLane     int64
	// Limits replace these four, and can be those of other Handlers and Transports too.
	Limits *Limits
	// Hooks bound and observe what is opened and sealed.
	Hooks Hooks

	once sync.Once
	own  Limits
}

// bounds returns the limits of the Handler.
func (h *Handler) bounds() *Limits {
	if h.Limits != nil {
		return h.Limits
	}
	h.once.Do(func() {
		h.own.Set(h.MaxInFlight, h.MaxHeld, nil)
		h.own.perLane = holding{h.MaxInFlightPerLane, h.MaxHeldPerLane / 2, h.MaxHeldPerLane / 2}
	})
	return &h.own
}

// ServeHTTP opens a request, calls Next, and seals its response. An error before the call
// is answered from the profile's error table; the precise reason is logged with the
// answer's identifier.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, h.Next) }

// Middleware returns a handler that calls next instead of Next. All handlers of one Handler
// share its limits.
func (h *Handler) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, next) })
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r, body := unread.Track(r)
	if h.Lane == nil || next == nil {
		h.refuseCaller(w, r, body, errors.New("sealhttp.Handler: Lane and Next must be given"))
		return
	}
	lane, err := h.lane(r)
	if err != nil {
		h.refuseCaller(w, r, body, err)
		return
	}
	endpoint, sealed, err := announced(lane, r)
	if err == nil && !sealed {
		next.ServeHTTP(w, r.WithContext(withMessage(r.Context(), nil)))
		return
	}
	if err != nil {
		h.refuse(w, r, body, lane, err)
		return
	}
	held := h.bounds().reserve(r.Context(), lane)
	defer held.release()
	lane, message, err := h.readMessage(w, r, lane, held)
	var keys sealane.SealKeys
	if err == nil && lane.Outbound().Sealed() { // a request that cannot be answered is not processed
		keys, err = lane.ReplyKeys(message)
	}
	if err != nil {
		held.release()
		h.refuse(w, r, body, lane, inLane(lane, err))
		return
	}
	response := h.callNext(next, openedRequest(r, lane, message), lane, held)
	h.answer(w, r, lane, response, requestInfo{endpoint, message.Payload()}, keys)
}

// lane returns the caller's lane.
func (h *Handler) lane(r *http.Request) (*sealane.Lane, error) {
	lane, err := h.Lane(r)
	if err == nil && (lane == nil || lane.Side() != sealane.ServerSide) {
		err = errors.New("sealhttp.Handler: Lane returned no lane of ServerSide")
	}
	return lane, err
}

// announced reports whether the request is sealed, and refuses requests that must not pass.
func announced(lane *sealane.Lane, r *http.Request) (endpoint profile.Match, sealed bool, err error) {
	refuse := func(on profile.Outcome, f fault.Code, format string, args ...any) (profile.Match, bool, error) {
		return profile.Match{}, false, failure(lane, sealane.OpOpen, on, f, fmt.Sprintf(format, args...))
	}
	p := lane.Profile()
	endpoint, listed := p.Find(r.Method, r.URL)
	header, value, hasTrigger := p.Trigger()
	on := !hasTrigger && listed
	if hasTrigger {
		values := r.Header.Values(header)
		on = len(values) > 0 && !p.TriggerOff(values[0])
		if err := lane.Ready(); on && err != nil { // before any other check
			return endpoint, false, err
		}
		switch {
		case len(values) > 1:
			return refuse(sealane.ErrFormat, fault.TriggerRepeated, "%s occurs %d times", header, len(values))
		case on && !strings.EqualFold(values[0], value):
			return refuse(sealane.ErrFormat, fault.TriggerValue, "%s is %.40q, not %q", header, values[0], value)
		}
	}
	switch {
	case on && listed && !endpoint.AllowsQuery(r.URL.RawQuery):
		return refuse(sealane.ErrFormat, fault.Query, "")
	case on && listed:
		return endpoint, true, lane.Ready()
	case on:
		return refuse(sealane.ErrFormat, fault.Endpoint, "the profile does not seal %s %.200q", r.Method, shortPath(r))
	case lane.Sealing() == sealane.SealingOptional || lane.IsPlainEndpoint(r.Method, r.URL):
		return endpoint, false, nil
	case !listed:
		return refuse(sealane.ErrPlainRefused, fault.Endpoint,
			"the lane requires sealing, and the profile does not seal %s %.200q; PlainEndpoints can list it",
			r.Method, shortPath(r))
	}
	return refuse(sealane.ErrPlainRefused, fault.TriggerMissing, "")
}

// readMessage reads the body and opens it, on the lane that is the newest then: a body may take long to arrive. It
// returns that lane, also with an error. The memory of the message is reserved.
func (h *Handler) readMessage(
	w http.ResponseWriter,
	r *http.Request,
	lane *sealane.Lane,
	held *reservation,
) (*sealane.Lane, sealane.Message, error) {
	form := lane.Inbound()
	if err := checkContentType(r.Header, form); err != nil {
		return lane, nil, err
	}
	if e := strings.Join(r.Header.Values("Content-Encoding"), ", "); e != "" && !strings.EqualFold(e, "identity") {
		return lane, nil, formatError(fault.ContentEncoding, fmt.Sprintf("Content-Encoding is %.40q", e))
	}
	clearDeadline := limitReading(w, r)
	limit := lane.MaxToken() + spare
	body := buffer{held: held}
	if err := readBody(&body, http.MaxBytesReader(w, r.Body, int64(limit)+1), r.ContentLength, limit); err != nil {
		return lane, nil, err // the deadline stays: the rest of the body must not be awaited
	}
	clearDeadline()
	latest, err := h.Hooks.latest(r.Context(), lane)
	if err != nil {
		return lane, nil, err
	}
	lane = latest
	if err := held.enter(); err != nil {
		return lane, nil, err
	}
	message, _, err := h.Hooks.openHeld(r.Context(), lane, &body)
	if err != nil {
		return lane, nil, err
	}
	body.drop()
	return lane, message, nil
}

// maxBodyTime is how long a sealed body may take to arrive, and how long a client may take
// to read a piece of its response, if the server has no time-out of its own.
const maxBodyTime = time.Minute

// limitReading sets a deadline for the request's body if the server has none, and returns a
// function that removes it. It must be called when the body was read to its end.
func limitReading(w http.ResponseWriter, r *http.Request) (clear func()) {
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && server.ReadTimeout > 0 {
		return func() {}
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(maxBodyTime)) != nil {
		return func() {}
	}
	return func() { control.SetReadDeadline(time.Time{}) }
}

// openedRequest returns the request as the next handler sees it.
func openedRequest(r *http.Request, lane *sealane.Lane, message sealane.Message) *http.Request {
	opened := r.Clone(withMessage(r.Context(), message))
	payload := message.Payload()
	opened.Body = io.NopCloser(bytes.NewReader(payload))
	opened.ContentLength = int64(len(payload))
	dropHeaders(opened.Header)
	opened.Header.Set("Content-Length", strconv.Itoa(len(payload)))
	opened.Header.Set("Content-Type", "application/json")
	if header, _, ok := lane.Profile().Trigger(); ok {
		opened.Header.Del(header)
	}
	opened.TransferEncoding, opened.Trailer = nil, nil
	return opened
}

// callNext records the response of the next handler. A panic becomes an error of the
// response.
func (h *Handler) callNext(
	next http.Handler,
	r *http.Request,
	lane *sealane.Lane,
	held *reservation,
) (response *recorder) {
	response = newRecorder(lane, held, h.Hooks)
	held.serving()
	defer func() {
		if reason := recover(); reason != nil {
			response.panicked(reason)
		}
	}()
	next.ServeHTTP(response, r)
	response.finish()
	return response
}

// answer writes the recorded response, sealed if the profile requires it.
func (h *Handler) answer(
	w http.ResponseWriter,
	r *http.Request,
	lane *sealane.Lane,
	response *recorder,
	to requestInfo,
	keys sealane.SealKeys,
) {
	direction := lane.Outbound()
	bodyless := direction.Sealed() && !bodyAllowed(response.status)
	if bodyless && response.err == nil && !to.endpoint.Bodyless() {
		response.fail(
			fault.AnswerWithoutBody,
			fmt.Sprintf("the service answered %s %s with status %d, which has no body to seal",
				r.Method, to.endpoint.Path(), response.status),
		)
	}
	plain := !direction.Sealed() || bodyless || !success(response.status) && !direction.SealsErrors()
	if plain && response.err == nil {
		response.held.leave()
		response.copyTo(w, r, response.body.data, false)
		return
	}
	name, id, found := to.identifier(response.body.data)
	if !found {
		id = appendString(nil, h.newID(r))
	}
	body, err := response.seal(r.Context(), keys, name, id)
	if err != nil {
		response.held.release()
		failed := failure(lane, sealane.OpSeal, sealane.ErrSealingFailed, sealane.FaultOf(err), "")
		failed.Err = err
		h.Hooks.observe(r.Context(), Event{Lane: lane, Step: StepSeal, Err: failed, Stack: response.stack})
		h.writeError(w, r, lane, failed, plainText(id), response.stack)
		return
	}
	response.held.leave()
	response.copyTo(w, r, body, true)
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

func (h *Handler) newID(r *http.Request) string {
	if id, ok := r.Context().Value(idKey).(string); ok {
		return id
	}
	if h.NewID == nil {
		return uuid.NewString()
	}
	return h.NewID()
}
