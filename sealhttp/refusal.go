package sealhttp

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/unread"
	"github.com/sealane/sealane/profile"
)

// refuse answers a request that could not be opened. Before it, what the request held must be released: a client
// that is still sending holds it up.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, body *unread.Body, lane *sealane.Lane, err error) {
	unread.Close(w, r)
	h.Hooks.refused(r.Context(), lane, StepOpen, err) // first: a client that has its answer was counted
	h.writeError(w, r, lane, err, h.newID(r), "")
	body.Discard(w)
}

// writeError turns an error on a lane into an answer. It logs the error after the answer is
// sent, so that the time of the answer does not depend on the length of the reason.
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, lane *sealane.Lane, err error, id, stack string) {
	p := lane.Profile()
	on := sealane.OutcomeOf(err)
	status, text, ok := p.ErrorRow(on)
	if !ok {
		status, text = http.StatusInternalServerError, "The message could not be processed"
		if sealane.FaultOf(err) == fault.AnswerCut {
			status = http.StatusBadGateway
		}
	}
	level := slog.LevelWarn
	switch {
	case r.Context().Err() != nil: // the client is gone
		level = slog.LevelDebug
	case status >= 500:
		level = slog.LevelError
	}
	if on == profile.Unavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeBody(w, r, status, "application/json", p.RenderError(id, text))
	http.NewResponseController(w).Flush() // the client is gone, or the writer cannot flush
	attributes := []slog.Attr{
		slog.String("id", id),
		slog.String("lane", lane.Name()),
		slog.String("method", r.Method),
		slog.String("path", shownPath(lane, r)),
		slog.Int(
			"status",
			status,
		),
		slog.String("outcome", string(on)),
		slog.String("fault", string(sealane.FaultOf(err))),
		slog.String("reason", err.Error()),
	}
	if stack != "" {
		attributes = append(attributes, slog.String("stack", stack))
	}
	h.log().LogAttrs(r.Context(), level, "message refused", attributes...)
}

func (h *Handler) refuseCaller(w http.ResponseWriter, r *http.Request, body *unread.Body, err error) {
	status, text := http.StatusServiceUnavailable, `{"error":"server_error"}`
	if errors.Is(err, ErrUnauthenticated) {
		status, text = http.StatusUnauthorized, `{"error":"unauthorized"}`
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	unread.Close(w, r)
	writeBody(w, r, status, "application/json", []byte(text))
	h.log().LogAttrs(r.Context(), slog.LevelWarn, "caller refused", slog.String("method", r.Method),
		slog.String("path", shortPath(r)), slog.Int("status", status), slog.String("reason", err.Error()))
	body.Discard(w)
}

// shownPath returns a request's path as in the profile, because the values of its variables
// are identifiers of persons or transactions.
func shownPath(lane *sealane.Lane, r *http.Request) string {
	if e, listed := lane.Profile().Find(r.Method, r.URL); listed && e.Path() != profile.Any {
		return e.Path()
	}
	return shortPath(r)
}

// shortPath returns the first two segments of a path that the profile does not list.
func shortPath(r *http.Request) string {
	segments := strings.SplitN(r.URL.EscapedPath(), "/", 4)
	if len(segments) < 4 {
		return strings.Join(segments, "/")
	}
	return strings.Join(segments[:3], "/") + "/…"
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	writeInTime(w, r, body)
}

// writeInTime writes a body in pieces. If the server has no time-out, each piece must be
// read in time.
func writeInTime(w http.ResponseWriter, r *http.Request, body []byte) {
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	control := http.NewResponseController(w)
	own := (server == nil || server.WriteTimeout <= 0) && control.SetWriteDeadline(time.Time{}) == nil
	const piece = 64 << 10
	// A client that reads less than a piece a second must not hold the memory for hours.
	last := time.Now().Add(maxBodyTime + time.Duration(len(body)/piece)*time.Second)
	for len(body) > 0 {
		if own {
			at := time.Now().Add(maxBodyTime)
			if last.Before(at) {
				at = last
			}
			control.SetWriteDeadline(at)
		}
		n, err := w.Write(body[:min(len(body), piece)])
		if err != nil {
			return // the client is gone
		}
		body = body[n:]
	}
	if own {
		control.Flush()
		control.SetWriteDeadline(time.Time{})
	}
}
