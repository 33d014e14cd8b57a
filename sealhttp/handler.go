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
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// What a Handler holds in memory at once. Opening and answering takes about four
// times the bodies' size.
const (
	DefaultMaxInFlight = 256
	DefaultMaxHeld     = 256 << 20 // bytes
)

// maxBodyTime is how long a sealed body may take to arrive.
const maxBodyTime = time.Minute

// Handler is the server's side of lanes: it opens requests, calls Next with the
// payload, and seals what Next answers. Next sees plain JSON both ways, and finds out
// who signed by [MessageFrom]. The http.Server must have time-outs: a request holds its
// place while it is being read.
type Handler struct {
	// Lane authenticates the caller and returns its lane: a lane without keys where
	// none were exchanged. [ErrUnauthenticated] is answered 401, other errors 503.
	Lane LaneFunc
	// Next serves the opened requests, and the plain ones that the lane lets pass.
	Next http.Handler

	// Log receives a line for each refusal. The default is slog.Default().
	Log *slog.Logger
	// NewID makes the identifier of an answer to what could not be opened. The
	// default is a random UUID.
	NewID func() string
	// MaxInFlight limits the sealed requests at once. The default is DefaultMaxInFlight.
	MaxInFlight int
	// MaxHeld limits the bytes of their bodies at once. The default is DefaultMaxHeld.
	MaxHeld int64

	inside, held atomic.Int64
}

// ServeHTTP opens a request, calls Next, and seals its response. An error before the
// call is answered by the profile's error table; the precise reason is logged under
// the answer's identifier.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r, h.Next) }

// Middleware returns a handler that calls next in the place of Next. All handlers
// of one Handler share its limits.
func (h *Handler) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, next) })
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if h.Lane == nil || next == nil {
		h.refuseCaller(w, r, errors.New("sealhttp.Handler: Lane and Next must be given"))
		return
	}
	lane, err := h.lane(r)
	if err != nil {
		h.refuseCaller(w, r, err)
		return
	}
	endpoint, sealed, err := announced(lane, r)
	if err == nil && !sealed {
		next.ServeHTTP(w, r)
		return
	}
	if err != nil {
		h.refuse(w, r, lane, err)
		return
	}
	leave, ok := h.enter(r, lane)
	if !ok {
		h.refuse(w, r, lane, failure(lane, sealane.OpOpen, sealane.ErrUnavailable, fault.Busy, ""))
		return
	}
	defer leave()
	message, err := readMessage(w, r, lane)
	if err != nil {
		h.refuse(w, r, lane, inLane(lane, err))
		return
	}
	opened := openedRequest(r, lane, message)
	if !lane.Outbound().Sealed() {
		next.ServeHTTP(w, opened)
		return
	}
	response := newRecorder(lane)
	next.ServeHTTP(response, opened)
	h.seal(w, opened, lane, response, requestInfo{endpoint, message.Payload()})
}

// lane returns the caller's lane.
func (h *Handler) lane(r *http.Request) (*sealane.Lane, error) {
	lane, err := h.Lane(r)
	if err == nil && (lane == nil || lane.Side() != sealane.ServerSide) {
		err = errors.New("sealhttp.Handler: Lane returned no lane of ServerSide")
	}
	return lane, err
}

// announced reports whether the request comes sealed, and refuses what must not pass
// as it is.
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
			return refuse(sealane.ErrFormat, fault.TriggerRepeated, "%s came %d times", header, len(values))
		case on && !strings.EqualFold(values[0], value):
			return refuse(sealane.ErrFormat, fault.TriggerValue, "%s is %.40q, not %q", header, values[0], value)
		}
	}
	switch {
	case on && listed:
		return endpoint, true, lane.Ready()
	case on:
		return refuse(sealane.ErrFormat, fault.Endpoint, "the profile does not seal %s %.200q", r.Method, r.URL.Path)
	case lane.Sealing() == sealane.SealingOptional || lane.IsPlainEndpoint(r.Method, r.URL):
		return endpoint, false, nil
	case !listed:
		return refuse(sealane.ErrPlainRefused, fault.Endpoint,
			"the lane requires sealing, and the profile does not seal %s %.200q; PlainEndpoints can list it",
			r.Method, r.URL.Path)
	}
	return refuse(sealane.ErrPlainRefused, fault.TriggerMissing, "")
}

func readMessage(w http.ResponseWriter, r *http.Request, lane *sealane.Lane) (sealane.Message, error) {
	form := lane.Inbound()
	if err := checkContentType(r.Header, form); err != nil {
		return nil, err
	}
	if e := strings.Join(r.Header.Values("Content-Encoding"), ", "); e != "" && !strings.EqualFold(e, "identity") {
		return nil, formatError(fault.ContentEncoding, fmt.Sprintf("Content-Encoding is %.40q", e))
	}
	// A body that trickles in must not hold its place for ever. A server's own
	// time-out is left alone where it is shorter, or no deadline can be set.
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if control := http.NewResponseController(w); server == nil || server.ReadTimeout <= 0 || server.ReadTimeout > maxBodyTime {
		if control.SetReadDeadline(time.Now().Add(maxBodyTime)) == nil {
			defer control.SetReadDeadline(time.Time{})
		}
	}
	limit := lane.MaxToken() + spare
	body, err := readBody(http.MaxBytesReader(w, r.Body, int64(limit)+1), r.ContentLength, limit)
	if err != nil {
		return nil, err
	}
	message, _, err := openBody(r.Context(), lane, body)
	return message, err
}

// openedRequest returns the request as the next handler sees it.
func openedRequest(r *http.Request, lane *sealane.Lane, message sealane.Message) *http.Request {
	opened := r.Clone(withMessage(r.Context(), message))
	payload := message.Payload()
	opened.Body = io.NopCloser(bytes.NewReader(payload))
	opened.ContentLength = int64(len(payload))
	opened.Header.Set("Content-Length", strconv.Itoa(len(payload)))
	opened.Header.Set("Content-Type", "application/json")
	opened.Header.Del("Accept-Encoding") // what comes back is to be sealed as it is
	opened.Header.Del("Range")
	if header, _, ok := lane.Profile().Trigger(); ok {
		opened.Header.Del(header)
	}
	opened.TransferEncoding, opened.Trailer = nil, nil
	return opened
}

// seal writes the recorded response: sealed where the profile seals it.
func (h *Handler) seal(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, response *recorder, to requestInfo) {
	direction := lane.Outbound()
	bodyless := response.status == http.StatusNoContent || response.status == http.StatusNotModified
	plain := bodyless || !success(response.status) && !direction.SealsErrors()
	if plain && !errors.Is(response.err, sealane.ErrTooLarge) {
		response.copyTo(w, nil)
		return
	}
	name, id, found := to.identifier(response.body.Bytes())
	if !found {
		id = appendString(nil, h.newID())
	}
	err := response.err
	var body []byte
	if err == nil {
		body, err = sealBody(r.Context(), lane, response.body.Bytes(), name, id)
	}
	if err != nil {
		failed := failure(lane, sealane.OpSeal, sealane.ErrSealingFailed, sealane.FaultOf(err), "")
		failed.Err = err
		h.writeError(w, r, lane, failed, plainText(id))
		return
	}
	response.WriteHeader(http.StatusOK) // where the service wrote nothing at all
	response.sent.Set("Content-Type", direction.ContentType())
	response.copyTo(w, body)
}

// refuse answers a request that could not be opened.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error) {
	h.writeError(w, r, lane, err, h.newID())
}

// writeError turns an error on a lane into an answer, and logs it once that is on
// its way: the reason's length must not be seen in the answer's time. The path is
// logged as the profile writes it: its variables are somebody's identifiers.
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error, id string) {
	p := lane.Profile()
	on := sealane.OutcomeOf(err)
	status, text, ok := p.ErrorRow(on)
	if !ok {
		status, text = http.StatusInternalServerError, "The message could not be processed"
	}
	level, path := slog.LevelWarn, r.URL.Path
	switch {
	case r.Context().Err() != nil: // the client went away
		level = slog.LevelDebug
	case status >= 500:
		level = slog.LevelError
	}
	if e, listed := p.Find(r.Method, r.URL); listed && e.Path() != profile.Any {
		path = e.Path()
	}
	if on == profile.Unavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeBody(w, status, "application/json", p.RenderError(id, text))
	http.NewResponseController(w).Flush() // an error is the client's going away, or a writer that has nothing to flush
	h.log().LogAttrs(r.Context(), level, "message refused",
		slog.String("id", id), slog.String("lane", lane.Name()), slog.String("method", r.Method), slog.String("path", path),
		slog.Int("status", status), slog.String("outcome", string(on)), slog.String("fault", string(sealane.FaultOf(err))),
		slog.String("reason", err.Error()))
}

func (h *Handler) refuseCaller(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusServiceUnavailable, `{"error":"server_error"}`
	if errors.Is(err, ErrUnauthenticated) {
		status, text = http.StatusUnauthorized, `{"error":"unauthorized"}`
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	h.log().LogAttrs(r.Context(), slog.LevelWarn, "caller refused", slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", status), slog.String("reason", err.Error()))
	writeBody(w, status, "application/json", []byte(text))
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body) // an error here is the client's going away
}

// enter takes a place among the requests that are held in memory, and room for
// the request's body: what it declares, or the most that the lane takes.
func (h *Handler) enter(r *http.Request, lane *sealane.Lane) (leave func(), ok bool) {
	places, room := int64(h.MaxInFlight), h.MaxHeld
	if places <= 0 {
		places = DefaultMaxInFlight
	}
	if room <= 0 {
		room = DefaultMaxHeld
	}
	size := int64(lane.MaxToken() + spare)
	if declared := r.ContentLength; declared >= 0 {
		size = min(size, declared)
	}
	held, inside := h.held.Add(size), h.inside.Add(1)
	leave = func() { h.held.Add(-size); h.inside.Add(-1) }
	if inside > places || held > room && inside > 1 { // one alone always fits
		leave()
		return nil, false
	}
	return leave, true
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

func (h *Handler) newID() string {
	if h.NewID == nil {
		return uuid.NewString()
	}
	return h.NewID()
}
