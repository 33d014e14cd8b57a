package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/sealhttp"
)

// newLog returns the log of a configuration.
func newLog(w io.Writer, c Log) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(cmp.Or(c.Level, "info"))) // it was checked
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// reasonOf returns the reason of a refusal as it may be logged: nothing of a header, a query, a path or a body.
func reasonOf(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return strings.TrimSuffix(p.title+": "+p.note, ": ")
	}
	if refused, ok := errors.AsType[*sealhttp.PartnerError](err); ok {
		return fmt.Sprintf("the partner answered %d: %s (ID %.64q)", refused.Status, refused.Text, refused.ID)
	}
	e, ok := errors.AsType[*sealane.Error](err)
	if !ok {
		if sent, ok := errors.AsType[*sendError](err); ok {
			return sent.Error()
		}
		return err.Error()
	}
	text := e.Fault.Meaning()
	if layer := e.Fault.Layer(); e.Detail != "" && layer != fault.HTTP &&
		layer != fault.Body { // theirs repeat what was sent
		text = e.Detail
	}
	text = fmt.Sprintf("%s: %v: %s [%s]", e.Op, e.Outcome, strings.TrimSuffix(text, "."), e.Fault)
	inner, isLane := errors.AsType[*sealane.Error](e.Err)
	switch {
	case isLane:
		return text + ": " + reasonOf(inner)
	case e.Err != nil && (e.Fault == fault.KeyUnavailable || e.Fault == fault.Busy || e.Fault == fault.BodyUnreadable):
		return text + ": " + e.Err.Error()
	}
	return text
}

// swapHandler is a slog.Handler that can be replaced while it is in use.
type swapHandler struct {
	mu      sync.RWMutex
	current slog.Handler
}

func (h *swapHandler) set(to slog.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = to
}

func (h *swapHandler) get() slog.Handler {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.current
}

func (h *swapHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.get().Enabled(ctx, l) }

func (h *swapHandler) Handle(ctx context.Context, r slog.Record) error { return h.get().Handle(ctx, r) }

func (h *swapHandler) WithAttrs(a []slog.Attr) slog.Handler { return h.get().WithAttrs(a) }

func (h *swapHandler) WithGroup(name string) slog.Handler { return h.get().WithGroup(name) }

// sampleKey is what lines are alike in.
type sampleKey struct {
	route, partner, fault string
	upstream              bool // an answer of the other end, which we only pass on
	gone                  bool // the client went away
}

// sampler lets ten lines a second of each kind through, and counts the others: strangers must not fill
// the disk.
type sampler struct {
	now   func() time.Time
	mu    sync.Mutex
	kinds map[sampleKey]*sampled
}

type sampled struct {
	limit   *rate.Limiter
	omitted int64
}

const (
	samplesPerSecond = 10
	maxSampled       = 2000
)

func newSampler(now func() time.Time) *sampler {
	return &sampler{now: now, kinds: map[sampleKey]*sampled{}}
}

// allow reports whether a line may be written, and how many of its kind were not since the last.
func (s *sampler) allow(key sampleKey) (ok bool, omitted int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.kinds[key]
	if one == nil {
		if len(s.kinds) >= maxSampled {
			clear(s.kinds)
		}
		one = &sampled{limit: rate.NewLimiter(samplesPerSecond, samplesPerSecond)}
		s.kinds[key] = one
	}
	if !one.limit.AllowN(s.now(), 1) {
		one.omitted++
		return false, 0
	}
	omitted, one.omitted = one.omitted, 0
	return true, omitted
}

// serverLog sorts the lines of net/http: what a client can cause at will is for debugging, and the rest
// is a warning.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(p []byte) (int, error) {
	// The text may repeat what a client sent. Only its beginning, up to the first digit or quote, is ours.
	text := string(p)
	for i, r := range text {
		if r == '"' || r == '\'' || r == '\n' || r >= '0' && r <= '9' {
			text = text[:i]
			break
		}
	}
	l.log.Debug("http server", "text", text)
	return len(p), nil
}
