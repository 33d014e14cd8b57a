package sealhttp

import (
	"bytes"
	"context"
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
// payload, and seals what Next answers. Next sees plain JSON both ways, and finds
// who signed by MessageFrom. The http.Server around it must have time-outs: a
// request holds its place while it is being read.
type Handler struct {
	// Lane authenticates the caller and gives its lane; one without keys where
	// none were exchanged. ErrUnauthenticated gives a 401, other errors a 503.
	Lane func(*http.Request) (*sealane.Lane, error)
	Next http.Handler

	Log         *slog.Logger  // nil: slog.Default()
	NewID       func() string // for answers to what could not be opened; nil: a random UUID
	MaxInFlight int           // sealed requests at once; 0: DefaultMaxInFlight
	MaxHeld     int64         // bytes of their bodies at once; 0: DefaultMaxHeld

	inside, held atomic.Int64
}

// ServeHTTP opens, serves, and seals. Whatever goes wrong before Next is called
// is answered by the profile's error table; the precise reason is logged under
// the answer's identifier.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lane, err := h.lane(r)
	if err != nil {
		h.refuseCaller(w, r, err)
		return
	}
	endpoint, vars, sealed, err := announced(lane, r)
	if err == nil && !sealed {
		h.Next.ServeHTTP(w, r)
		return
	}
	if err != nil {
		h.refuse(w, r, lane, err)
		return
	}
	leave, ok := h.enter(r, lane)
	if !ok {
		h.refuse(w, r, lane, &sealane.Error{Op: "open", Lane: lane.Name(), Sentinel: sealane.ErrUnavailable, Fault: fault.Busy})
		return
	}
	defer leave()
	message, err := readMessage(w, r, lane)
	if err != nil {
		h.refuse(w, r, lane, named(lane, err))
		return
	}
	opened := openedRequest(r, lane, message)
	if !lane.Out().Sealed() {
		h.Next.ServeHTTP(w, opened)
		return
	}
	answer := newRecorder(lane.Config().MaxPayload)
	h.Next.ServeHTTP(answer, opened)
	h.seal(w, opened, lane, answer, asked{endpoint, vars, message.Payload()})
}

// lane gives the caller's lane, if it is one that can be served here.
func (h *Handler) lane(r *http.Request) (*sealane.Lane, error) {
	if h.Lane == nil || h.Next == nil {
		return nil, errors.New("sealhttp.Handler: Lane and Next must be given")
	}
	lane, err := h.Lane(r)
	if err == nil && (lane == nil || lane.Config().Side != sealane.ServerSide) {
		err = errors.New("sealhttp.Handler: Lane gave none of the side Server")
	}
	return lane, err
}

// announced reports whether the request comes sealed, and refuses what may not
// pass as it comes.
func announced(lane *sealane.Lane, r *http.Request) (*profile.Endpoint, map[string]string, bool, error) {
	refuse := func(sentinel error, f fault.Code, detail string) (*profile.Endpoint, map[string]string, bool, error) {
		return nil, nil, false, &sealane.Error{Op: "open", Lane: lane.Name(), Sentinel: sentinel, Fault: f, Detail: detail}
	}
	p := lane.Config().Profile
	endpoint, vars, listed := p.Find(r.Method, r.URL)
	on := p.Trigger == nil && listed
	if t := p.Trigger; t != nil {
		values := r.Header.Values(t.Header)
		on = len(values) > 0 && !isOff(t, values[0])
		if err := lane.Ready(); on && err != nil { // before anything else is looked at
			return nil, nil, false, err
		}
		switch {
		case len(values) > 1:
			return refuse(sealane.ErrFormat, fault.TriggerRepeated, fmt.Sprintf("%s came %d times", t.Header, len(values)))
		case on && !strings.EqualFold(values[0], t.Value):
			return refuse(sealane.ErrFormat, fault.TriggerValue, fmt.Sprintf("%s is %.40q, not %q", t.Header, values[0], t.Value))
		}
	}
	switch {
	case on && listed:
		if err := lane.Ready(); err != nil {
			return nil, nil, false, err
		}
		return endpoint, vars, true, nil
	case on:
		return refuse(sealane.ErrFormat, fault.Endpoint, fmt.Sprintf("the profile does not seal %s %.200q", r.Method, r.URL.Path))
	case lane.Config().Sealing == sealane.SealingOptional || isPlainEndpoint(lane, r):
		return nil, nil, false, nil
	case !listed:
		return refuse(sealane.ErrPlainRefused, fault.Endpoint, fmt.Sprintf("the lane requires sealing, and the profile does not seal %s %.200q; PlainEndpoints can list it", r.Method, r.URL.Path))
	}
	return refuse(sealane.ErrPlainRefused, fault.TriggerMissing, "")
}

func isOff(t *profile.Trigger, value string) bool {
	for _, off := range t.Off {
		if strings.EqualFold(value, off) {
			return true
		}
	}
	return false
}

func readMessage(w http.ResponseWriter, r *http.Request, lane *sealane.Lane) (sealane.Message, error) {
	form := lane.In().Body
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

// openedRequest is the request as Next sees it.
func openedRequest(r *http.Request, lane *sealane.Lane, message sealane.Message) *http.Request {
	opened := r.Clone(context.WithValue(r.Context(), messageKey, message))
	payload := message.Payload()
	opened.Body = io.NopCloser(bytes.NewReader(payload))
	opened.ContentLength = int64(len(payload))
	opened.Header.Set("Content-Length", strconv.Itoa(len(payload)))
	opened.Header.Set("Content-Type", "application/json")
	opened.Header.Del("Accept-Encoding") // what comes back is to be sealed as it is
	opened.Header.Del("Range")
	if t := lane.Config().Profile.Trigger; t != nil {
		opened.Header.Del(t.Header)
	}
	opened.TransferEncoding, opened.Trailer = nil, nil
	return opened
}

// seal writes the recorded answer: sealed where the profile seals it.
func (h *Handler) seal(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, answer *recorder, x asked) {
	leg := lane.Out()
	bodyless := answer.status == http.StatusNoContent || answer.status == http.StatusNotModified
	plain := bodyless || !success(answer.status) && leg.UpstreamErrors == "plain"
	if plain && !errors.Is(answer.err, sealane.ErrTooLarge) {
		answer.copyTo(w, nil)
		return
	}
	name, id, found := x.identifier(answer.body.Bytes())
	if !found {
		id = appendString(nil, h.newID())
	}
	err := answer.err
	var body []byte
	if err == nil {
		body, err = sealBody(r.Context(), lane, answer.body.Bytes(), name, id)
	}
	if err != nil {
		h.writeError(w, r, lane, &sealane.Error{Op: "seal", Lane: lane.Name(), Sentinel: sealane.ErrSealingFailed, Fault: sealane.FaultOf(err), Err: err}, plainText(id))
		return
	}
	answer.WriteHeader(http.StatusOK) // where the service wrote nothing at all
	answer.sent.Set("Content-Type", leg.Body.ContentType)
	answer.copyTo(w, body)
}

// refuse answers what could not be opened.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error) {
	h.writeError(w, r, lane, err, h.newID())
}

// writeError turns an error on a lane into an answer, and logs it once that is on
// its way: the reason's length must not be seen in the answer's time. The path is
// logged as the profile writes it: its variables are somebody's identifiers.
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error, id string) {
	p := lane.Config().Profile
	on := sealane.OutcomeOf(err)
	row, ok := p.Errors.Row(on)
	if !ok {
		row = profile.ErrorRow{Status: http.StatusInternalServerError, Text: "The message could not be processed"}
	}
	level, path := slog.LevelWarn, r.URL.Path
	switch {
	case r.Context().Err() != nil: // the client went away
		level = slog.LevelDebug
	case row.Status >= 500:
		level = slog.LevelError
	}
	if e, _, listed := p.Find(r.Method, r.URL); listed && e.Path != profile.Any {
		path = e.Path
	}
	if on == profile.Unavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeBody(w, row.Status, "application/json", p.Errors.Render(id, row.Text))
	http.NewResponseController(w).Flush() // an error is the client's going away, or a writer that has nothing to flush
	h.log().LogAttrs(r.Context(), level, "message refused",
		slog.String("id", id), slog.String("lane", lane.Name()), slog.String("method", r.Method), slog.String("path", path),
		slog.Int("status", row.Status), slog.String("outcome", string(on)), slog.String("fault", string(sealane.FaultOf(err))),
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
