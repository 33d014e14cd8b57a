package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// exchange is one request and its answer, as it is logged and counted. Nothing of it comes from a header,
// a query, a path or a body, but for names that are ours.
type exchange struct {
	route *route
	id    string
	began time.Time
	trace string // the trace ID of traceparent
	// source is the network of a caller who is not identified, or "". It is set before there is a lane.
	source string

	mu        sync.Mutex
	method    string
	endpoint  string // as the profile writes it
	lane      *sealane.Lane
	how       string          // how the caller is known
	message   string          // verified, unverified or plain
	signer    string          // key ID
	openedBy  string          // key ID
	ended     map[string]bool // whose certificates had ended
	resent    []string        // why the partner refused the message before
	fault     fault.Code
	outcome   profile.Outcome
	reason    string
	stack     string
	processed processed
	gone      bool // the client went away

	unopened *unopened // the message, if a reason is looked for, or nil

	entered bool     // it counts among those in flight
	ends    []func() // are called when it is finished
}

type exchangeKey struct{}

// begin begins the exchange of a request, and returns the request with it.
func (r *route) begin(w http.ResponseWriter, q *http.Request) (*exchange, *writer, *http.Request) {
	x := &exchange{route: r, id: uuid.NewString(), began: r.g.now(), method: knownMethod(q.Method), endpoint: "other"}
	if m := traceparent.FindStringSubmatch(q.Header.Get("Traceparent")); m != nil {
		x.trace = m[1]
	}
	ctx := context.WithValue(q.Context(), exchangeKey{}, x)
	q = q.WithContext(sealhttp.WithID(ctx, x.id))
	if q.Body != nil && q.Body != http.NoBody {
		body := newPacedBody(w, q, r.g.config().Limits.BodyRate.or(1<<10))
		q.Body = body
		x.ends = append(x.ends, body.leave)
	}
	rw := newWriter(w, q.Context())
	rw.last, rw.stream = endsConnection(q), q.ProtoMajor > 1
	rw.progress = cmp.Or(r.g.options.Progress, progressTime)
	return x, rw, q
}

// traceparent is https://www.w3.org/TR/trace-context/#traceparent-header.
var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// exchangeOf returns the exchange of a context.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// with changes the exchange.
func (x *exchange) with(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

// refused notes why the request was refused.
func (x *exchange) refused(err error) {
	x.with(func() {
		if x.reason != "" {
			return // the first reason is the cause
		}
		x.reason = reasonOf(err)
		x.fault = sealane.FaultOf(err)
		if on, ok := errors.AsType[profile.Outcome](err); ok {
			x.outcome = on
		}
	})
}

// problem notes a problem that is answered.
func (x *exchange) problem(p *problem) {
	x.refused(p)
	x.with(func() {
		if x.fault == "" {
			x.fault = p.fault
		}
		x.processed = p.processed
	})
}

// observe notes what became of a message.
func observe(ctx context.Context, e sealhttp.Event) {
	x := exchangeOf(ctx)
	if x == nil {
		return
	}
	x.route.g.metrics.message(x.route, e)
	if c := carriedOf(ctx); c != nil {
		c.use(e, x.route.g.now())
	}
	if e.Err != nil {
		x.refused(e.Err)
		if x.route.handler != nil && e.Step == sealhttp.StepOpen && !errors.Is(e.Err, sealane.ErrUnavailable) {
			x.route.g.partners.failed(x.account(e.Lane), x.route.failures(carriedOf(ctx).limits))
		}
	}
	x.with(func() {
		if e.Stack != "" {
			x.stack = e.Stack
		}
		for whose := range endedKeys(e, x.route.g.now()) {
			if x.ended == nil {
				x.ended = map[string]bool{}
			}
			x.ended[whose] = true
		}
		if e.Resend != "" {
			x.resent = append(x.resent, string(e.Resend))
		}
		switch m := e.Message.(type) {
		case *sealane.Verified:
			x.message, x.signer, x.openedBy = "verified", m.Signer().ID, e.KeyID
		case *sealane.Unverified:
			x.message, x.openedBy = "unverified", e.KeyID
		}
	})
}

// endedKeys yields whose certificates had ended when a message was sealed or opened: ours, theirs.
func endedKeys(e sealhttp.Event, now time.Time) iter.Seq[string] {
	return func(yield func(string) bool) {
		ended := func(k keyring.KeyInfo, used bool) bool {
			return used && !k.NotAfter.IsZero() && now.After(k.NotAfter)
		}
		ours, signed := e.Keys.Signer()
		theirs, sealed := e.Keys.Recipient()
		switch m := e.Message.(type) {
		case *sealane.Verified:
			ours, signed, theirs, sealed = m.OpenedBy(), true, m.Signer(), true
		case *sealane.Unverified:
			ours, signed = m.OpenedBy(), true
		}
		if ended(ours, signed) && !yield(ownerLabel(true)) {
			return
		}
		if ended(theirs, sealed) {
			yield(ownerLabel(false))
		}
	}
}

// opened reports whether the message of a partner was opened.
func (x *exchange) opened() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.openedBy != "" || x.message == "verified" || x.message == "unverified"
}

// finish logs and counts the exchange.
func (x *exchange) finish(w *writer, q *http.Request) {
	for _, end := range x.ends {
		end()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	took := x.route.g.now().Sub(x.began)
	// A client that goes away when it has its answer has not gone early.
	x.gone = x.gone || w.gone.Load() || !w.wrote() && q.Context().Err() != nil
	x.route.g.metrics.request(x, w.status(), took)
	level := slog.LevelInfo
	switch status := w.status(); {
	case x.gone:
	case x.stack != "" || status >= 500:
		level = slog.LevelError
	case x.reason != "", len(x.resent) > 0, len(x.ended) > 0:
		level = slog.LevelWarn
	}
	omitted := int64(0)
	if (level != slog.LevelInfo || x.gone) && x.stack == "" {
		key := sampleKey{x.route.name, x.partner(), string(x.fault), x.reason == "", x.gone}
		var ok bool
		if ok, omitted = x.route.g.sampler.allow(key); !ok {
			return
		}
	}
	x.route.g.log.LogAttrs(q.Context(), level, "request", x.attributes(w, took, omitted)...)
}

// partner returns the partner's name, or "".
func (x *exchange) partner() string {
	if x.lane == nil {
		return ""
	}
	return x.lane.Partner()
}

func (x *exchange) attributes(w *writer, took time.Duration, omitted int64) []slog.Attr {
	a := []slog.Attr{slog.String("id", x.id), slog.String("route", x.route.name)}
	add := func(name, value string) {
		if value != "" {
			a = append(a, slog.String(name, value))
		}
	}
	if x.lane != nil {
		add("lane", x.lane.Name())
	}
	add("caller", x.how)
	add("method", x.method)
	add("endpoint", x.endpoint)
	a = append(
		a, slog.Int("status", w.status()), slog.Int64("bytes", w.bytes.Load()),
		slog.Float64("seconds", took.Seconds()),
	)
	add("message", x.message)
	add("signer", x.signer)
	add("opened_by", x.openedBy)
	add("certificate_ended", strings.Join(slices.Sorted(maps.Keys(x.ended)), ", "))
	add("resent_after", strings.Join(x.resent, ", "))
	add("outcome", string(x.outcome))
	add("fault", string(x.fault))
	add("processed", string(x.processed))
	add("reason", x.reason)
	add("trace_id", x.trace)
	if x.gone {
		a = append(a, slog.Bool("client_gone", true))
	}
	if omitted > 0 {
		a = append(a, slog.Int64("lines_omitted", omitted))
	}
	add("stack", x.stack)
	return a
}

// knownMethod returns a method as it is logged: any other than the usual ones is "other".
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return m
	}
	return "other"
}

// progressTime is the default of [Options.Progress].
const progressTime = 30 * time.Second

// writer is a ResponseWriter that notes what is written. Its write deadline moves with each piece.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	client  context.Context // ends when the client goes away
	last    bool            // the connection ends with this answer
	stream  bool            // of HTTP/2
	// progress is how long the client may take to read a piece.
	progress time.Duration
	code     atomic.Int64
	bytes    atomic.Int64
	gone     atomic.Bool // the client went away before it had its answer
}

func newWriter(w http.ResponseWriter, client context.Context) *writer {
	return &writer{ResponseWriter: w, control: http.NewResponseController(w), client: client}
}

func (w *writer) status() int { return int(w.code.Load()) }

func (w *writer) wrote() bool { return w.code.Load() != 0 }

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.last {
		w.Header().Set("Connection", "close")
	}
	if status >= 200 && w.code.CompareAndSwap(0, int64(status)) && w.client.Err() != nil {
		w.gone.Store(true)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.wrote() {
		w.WriteHeader(http.StatusOK)
	}
	w.limit()
	n, err := w.ResponseWriter.Write(p)
	w.written()
	w.bytes.Add(int64(n))
	if err != nil && w.client.Err() != nil {
		w.gone.Store(true)
	}
	return n, err
}

// FlushError sends what was written so far.
func (w *writer) FlushError() error {
	if !w.wrote() {
		w.WriteHeader(http.StatusOK)
	}
	w.limit()
	defer w.written()
	return w.control.Flush()
}

// limit sets by when the next piece must be read. An error is a writer that has no deadline.
func (w *writer) limit() { w.control.SetWriteDeadline(time.Now().Add(w.progress)) }

// written removes the limit of a stream: the deadline of HTTP/2 also resets a stream on which nothing is written,
// while an answer may stop and go on as it likes.
func (w *writer) written() {
	if w.stream {
		w.control.SetWriteDeadline(time.Time{})
	}
}

// pacedBody is a request's body that must arrive at a least rate, after a time to begin.
type pacedBody struct {
	io.ReadCloser
	mu      sync.Mutex
	control *http.ResponseController // nil: the exchange is finished
	began   time.Time
	rate    int64 // bytes a second
	read    int64
	done    bool
}

// bodyGrace is how long a body may take before its rate counts.
const bodyGrace = 10 * time.Second

func newPacedBody(w http.ResponseWriter, q *http.Request, rate int64) *pacedBody {
	return &pacedBody{ReadCloser: q.Body, control: http.NewResponseController(w), rate: rate}
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.began.IsZero() {
		b.began = time.Now()
	}
	due := b.began.Add(bodyGrace + time.Duration(float64(b.read)/float64(b.rate)*float64(time.Second)))
	if !b.setDeadline(due) {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err != nil && !b.done {
		b.done = errors.Is(err, io.EOF)
		if b.done {
			b.setDeadline(time.Time{})
		}
	}
	return n, err
}

// setDeadline reports whether the exchange goes on. After it, net/http must not be asked: in HTTP/2 it panics, and
// the goroutine is the transport's, which may read on after its answer came.
func (b *pacedBody) setDeadline(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control == nil {
		return false
	}
	b.control.SetReadDeadline(t) // an error is a connection that has none
	return true
}

// leave ends the use of the connection.
func (b *pacedBody) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control = nil
}
