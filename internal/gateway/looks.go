package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/admission"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/sealhttp"
)

// looks finds out why messages could not be opened, after they were answered: the partner may encrypt to a key pair
// of ours that is retired, or sign with a certificate that nobody has approved yet. It tells only the operator. For
// each lane, or for each partner, it looks once a minute, so that it does the same work whatever there is to find.
type looks struct {
	g     *Gateway
	queue chan *unopened

	mu   sync.Mutex
	held int // messages that are kept
	last map[lookedFor]time.Time
}

// lookedFor is what is looked for: a pair of ours in one environment, or a certificate of the partner in all of them.
type lookedFor struct {
	partner, environment string
	certificate          bool
}

// unopened is a message that was refused, with what the log says of it.
type unopened struct {
	route    *route
	registry *registry
	lane     *sealane.Lane
	party    admission.Party
	id       string
	message  []byte
	refused  error
}

const (
	lookEach     = time.Minute
	lookTime     = 30 * time.Second
	lookPause    = 200 * time.Millisecond // until the client surely has its answer, and the connection has ended
	mostUnopened = 4                      // messages that are kept at a time, one of which is looked at
	maxUnopened  = 256 << 10              // the size of the largest, in bytes
	maxLookedFor = 10000                  // how many lanes and partners are looked for in a minute
)

// The results of a look, for the metric.
const (
	lookFound    = "found"
	lookNone     = "none"      // there is no such key
	lookFailed   = "failed"    // the registry or a key could not be read
	lookBusy     = "busy"      // too many messages are kept, or there was no place in time
	lookTooLarge = "too_large" // the message is not kept
)

func newLooks(g *Gateway) *looks {
	return &looks{g: g, queue: make(chan *unopened, mostUnopened), last: map[lookedFor]time.Time{}}
}

func (l *looks) count(result string) { l.g.metrics.looks.WithLabelValues(result).Inc() }

// keep is Unopened of the hooks. It keeps a copy of a message until its exchange is finished, if it is time to look.
func (l *looks) keep(ctx context.Context, lane *sealane.Lane, message []byte, refused error) {
	x := exchangeOf(ctx)
	if x == nil || x.kept() != nil {
		return
	}
	source, is := x.route.now().source.(*registrySource)
	if !is {
		return // key files have no other keys
	}
	if len(message) > maxUnopened {
		l.count(lookTooLarge)
		return
	}
	_, certificate := lanes.Explainable(refused)
	what := lookedFor{lane.Partner(), lane.Environment(), certificate}
	if certificate {
		what.environment = ""
	}
	switch due, full := l.take(what, l.g.now()); {
	case full:
		l.count(lookBusy)
	case due:
		kept := &unopened{
			route: x.route, registry: source.registry, lane: lane, party: party(ctx, lane), id: x.id,
			message: bytes.Clone(message), refused: refused,
		}
		x.with(func() { x.unopened = kept })
	}
}

// kept returns the message of an exchange that is kept, or nil.
func (x *exchange) kept() *unopened {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.unopened
}

// take reports whether it is time to look, and then takes a place for the message.
func (l *looks) take(what lookedFor, now time.Time) (due, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := func(at time.Time) bool { return now.Sub(at) < lookEach && !now.Before(at) }
	if at, known := l.last[what]; known && recent(at) {
		return false, false
	}
	if len(l.last) >= maxLookedFor {
		maps.DeleteFunc(l.last, func(_ lookedFor, at time.Time) bool { return !recent(at) })
	}
	if l.held >= mostUnopened || len(l.last) >= maxLookedFor {
		return false, true
	}
	l.held++
	l.last[what] = now
	return true, false
}

// begin looks for the key of a finished exchange's message. Its answer was sent before.
func (l *looks) begin(x *exchange, w *writer) {
	kept := x.kept()
	if kept == nil {
		return
	}
	if w.wrote() {
		w.FlushError() // an error is the client's going away
	}
	l.queue <- kept // it has a place for each that is held
}

// run looks, at one message at a time, until ctx ends.
func (l *looks) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case kept := <-l.queue:
			pause(ctx, lookPause)
			l.count(l.look(ctx, kept))
			l.mu.Lock()
			l.held--
			l.mu.Unlock()
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// look looks for the key of one message, and tells the operator.
func (l *looks) look(ctx context.Context, u *unopened) (result string) {
	defer func() {
		if reason := recover(); reason != nil { // its value may hold anything
			result = lookFailed
			l.g.log.Error("a look for a key failed", "id", u.id, "panic", fmt.Sprintf("%T", reason),
				"stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if u.registry.failed.Load() != nil { // the log has said so
		return lookFailed
	}
	snapshot, err := u.registry.current()
	if err != nil {
		return lookFailed
	}
	enter := func(ctx context.Context) (func(), error) { return l.g.gate.Enter(ctx, u.party, admission.Last) }
	key, err := u.registry.reader.Explain(ctx, snapshot, nameOf(u.lane), u.token(), u.refused, enter)
	switch {
	case key != nil:
		l.found(u, key)
		return lookFound
	case err == nil:
		return lookNone
	case errors.Is(err, admission.ErrBusy):
		return lookBusy
	case ctx.Err() == nil:
		if ok, _ := l.g.sampler.allow(sampleKey{route: u.route.name, fault: "look"}); ok {
			l.g.log.Warn("it could not be looked for the key of a message that did not open", "id", u.id,
				"lane", u.lane.Name(), "reason", err.Error())
		}
	}
	return lookFailed
}

// token returns the compact JWE of the message.
func (u *unopened) token() []byte {
	if token, err := sealhttp.UnwrapToken(u.message, u.lane.Inbound()); err == nil {
		return token
	}
	return bytes.TrimSpace(u.message) // a bare token
}

// found logs and counts the key of a message.
func (l *looks) found(u *unopened, key *lanes.OutsideKey) {
	pairs, _ := lanes.Explainable(u.refused)
	partner := l.g.metrics.partner(u.lane.Partner())
	attributes := []slog.Attr{
		slog.String("id", u.id), slog.String("route", u.route.name), slog.String("lane", u.lane.Name()),
		slog.String("partner", u.lane.Partner()), slog.String("environment", u.lane.Environment()),
		slog.String("key", key.ID), slog.String("key_id", key.KeyID), slog.String("state", key.State),
		slog.Time("since", key.Since.UTC()),
	}
	level := slog.LevelError
	text := "alarm: a message was encrypted to a key pair of ours that is retired; it was refused"
	if key.Named {
		text = "alarm: a message names a key pair of ours that is retired; it was refused"
	}
	if pairs {
		attributes = append(attributes, slog.Bool("shared", key.Shared))
		l.g.metrics.retired.WithLabelValues(u.route.name, partner, key.State).Inc()
	} else {
		level, text = slog.LevelWarn,
			"alarm: a message is signed with a certificate of the partner that is not in use yet; it was refused"
		l.g.metrics.early.WithLabelValues(u.route.name, partner, key.State).Inc()
	}
	l.g.log.LogAttrs(context.Background(), level, text, slices.Clip(attributes)...)
}
