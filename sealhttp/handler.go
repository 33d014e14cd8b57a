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
	"sync"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/fault"
	"github.com/sealane/sealane/profile"
)

// DefaultMaxInFlight is how many sealed requests a Handler holds in memory at once.
const DefaultMaxInFlight = 64

// Handler is the server's side of lanes: it opens requests, calls Next with the
// payload, and seals what Next answers. Next sees plain JSON both ways, and finds
// who signed by MessageFrom.
type Handler struct {
	// Lane authenticates the caller and gives its lane; one without keys where
	// none were exchanged. ErrUnauthenticated gives a 401, other errors a 503.
	Lane func(*http.Request) (*sealane.Lane, error)
	Next http.Handler

	Log         *slog.Logger  // nil: slog.Default()
	NewID       func() string // for answers to what could not be opened; nil: a random UUID
	MaxInFlight int           // 0: DefaultMaxInFlight

	once  sync.Once
	slots chan struct{}
}

// ServeHTTP opens, serves, and seals. Whatever goes wrong before Next is called
// is answered by the profile's error table; the precise reason is logged under
// the answer's identifier.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lane, err := h.Lane(r)
	if err != nil {
		h.refuseCaller(w, r, err)
		return
	}
	endpoint, vars, sealed, err := announced(lane, r)
	if err == nil && !sealed {
		h.Next.ServeHTTP(w, r)
		return
	}
	if err == nil {
		err = lane.Ready()
	}
	if err != nil {
		h.refuse(w, r, lane, err)
		return
	}
	if !h.enter() {
		h.refuse(w, r, lane, &sealane.Error{Op: "open", Lane: lane.Name(), Sentinel: sealane.ErrUnavailable, Fault: fault.Busy})
		return
	}
	defer func() { <-h.slots }()
	message, err := readMessage(w, r, lane)
	if err != nil {
		h.refuse(w, r, lane, err)
		return
	}
	opened := openedRequest(r, message)
	if !lane.Out().Sealed() {
		h.Next.ServeHTTP(w, opened)
		return
	}
	answer := newRecorder(lane.Config().MaxPayload)
	h.Next.ServeHTTP(answer, opened)
	h.seal(w, opened, lane, answer, exchange{endpoint, vars, message.Payload()})
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
		switch {
		case len(values) > 1:
			return refuse(sealane.ErrFormat, fault.TriggerRepeated, fmt.Sprintf("%s came %d times", t.Header, len(values)))
		case len(values) == 0 || isOff(t, values[0]):
		case strings.EqualFold(values[0], t.Value):
			on = true
		default:
			return refuse(sealane.ErrFormat, fault.TriggerValue, fmt.Sprintf("%s is %.40q, not %q", t.Header, values[0], t.Value))
		}
	}
	switch {
	case on && listed:
		return endpoint, vars, true, nil
	case on:
		return refuse(sealane.ErrFormat, fault.Endpoint, fmt.Sprintf("the profile does not seal %s %.200q", r.Method, r.URL.Path))
	case mayPassPlain(lane, r):
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
	if err := checkContentType(r.Header.Get("Content-Type"), form.ContentType); err != nil {
		return nil, err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, formatError(fault.ContentEncoding, fmt.Sprintf("Content-Encoding is %.40q", e))
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
func openedRequest(r *http.Request, message sealane.Message) *http.Request {
	opened := r.Clone(context.WithValue(r.Context(), messageKey, message))
	payload := message.Payload()
	opened.Body = io.NopCloser(bytes.NewReader(payload))
	opened.ContentLength = int64(len(payload))
	opened.Header.Set("Content-Length", strconv.Itoa(len(payload)))
	opened.Header.Set("Content-Type", "application/json")
	opened.Header.Del("Accept-Encoding") // what comes back is to be sealed as it is
	opened.Header.Del("Range")
	opened.TransferEncoding, opened.Trailer = nil, nil
	return opened
}

// seal writes the recorded answer: sealed where the profile seals it.
func (h *Handler) seal(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, answer *recorder, x exchange) {
	leg := lane.Out()
	bodyless := answer.status == http.StatusNoContent || answer.status == http.StatusNotModified
	if bodyless || !success(answer.status) && leg.UpstreamErrors == "plain" {
		answer.copyTo(w, nil)
		return
	}
	name, id, found := x.identifier(answer.body.Bytes())
	if !found {
		id = h.newID()
	}
	err := answer.err
	var body []byte
	if err == nil {
		body, err = sealBody(r.Context(), lane, answer.body.Bytes(), name, id)
	}
	if err != nil {
		h.answerError(w, r, lane, &sealane.Error{Op: "seal", Lane: lane.Name(), Sentinel: sealane.ErrSealingFailed, Fault: sealane.FaultOf(err), Err: err}, id)
		return
	}
	answer.header.Set("Content-Type", leg.Body.ContentType)
	answer.copyTo(w, body)
}

// refuse answers what could not be opened.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error) {
	h.answerError(w, r, lane, err, h.newID())
}

// answerError is the one function that turns an error into an answer.
func (h *Handler) answerError(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error, id string) {
	p := lane.Config().Profile
	on := sealane.OutcomeOf(err)
	row, ok := p.Errors.Row(on)
	if !ok {
		row = profile.ErrorRow{Status: http.StatusInternalServerError, Text: "The message could not be processed"}
	}
	h.log().LogAttrs(r.Context(), slog.LevelWarn, "sealed request refused",
		slog.String("id", id), slog.String("lane", lane.Name()), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", row.Status), slog.String("outcome", string(on)), slog.String("fault", string(sealane.FaultOf(err))),
		slog.String("reason", err.Error()))
	if on == profile.Unavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeBody(w, row.Status, "application/json", p.Errors.Render(id, row.Text))
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

// enter takes one of the slots that bound the memory in use.
func (h *Handler) enter() bool {
	h.once.Do(func() {
		n := h.MaxInFlight
		if n <= 0 {
			n = DefaultMaxInFlight
		}
		h.slots = make(chan struct{}, n)
	})
	select {
	case h.slots <- struct{}{}:
		return true
	default:
		return false
	}
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
