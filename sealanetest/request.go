package sealanetest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// Request is a request that a fake received.
type Request struct {
	// Method is the HTTP method.
	Method string
	// URL holds the path and the query.
	URL *url.URL
	// Header is the header as received.
	Header http.Header
	// Body is the body as received: sealed, if the request was.
	Body []byte

	// Payload is what the service received: the opened message, or the body of an
	// unencrypted request. It is nil if the service was not called, because the request was
	// refused or Fail injected an outcome.
	Payload []byte
	// Sealed reports whether Payload was sealed.
	Sealed bool
	// Signer describes the key that verified the signature. It is zero if the request was
	// not signed.
	Signer keyring.KeyInfo

	// Outcome is the judgment on the request, or on sealing the response. It is empty if
	// there was no error, or if a fault was injected.
	Outcome profile.Outcome
	// Fault is the exact fault behind Outcome, which a partner does not learn.
	Fault fault.Code
	// Reason explains it, as in the operator's log.
	Reason string

	// Injected is the fault that was asked for, or empty.
	Injected Fault
	// Status is the HTTP status of the response, or 0 if there is none yet.
	Status int
	// Response is the body of the response as sent.
	Response []byte
}

// server is a fake that serves HTTP and records requests.
type server struct {
	t       testing.TB
	http    *httptest.Server
	faults  queue
	handler http.Handler

	mu       sync.Mutex
	requests []*Request
}

// start serves on the loopback interface until the test ends.
func (s *server) start(t testing.TB) string {
	s.t, s.http = t, httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s.http.URL
}

// behind returns a service to be called by a Handler; it records what the service receives.
func (s *server) behind(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.opened(r)
		service.ServeHTTP(w, r)
	})
}

// log returns the log of a Handler. It is recorded and passed to next, which may be nil.
func (s *server) log(next *slog.Logger) *slog.Logger { return slog.New(logReader{s, next}) }

type requestKey struct{}

// ServeHTTP records the request, sets the fault that is due, and serves.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	record := &Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: body}
	if f, ok := s.faults.next(); ok {
		r.Header.Set(sandbox.FaultHeader, string(f))
	}
	record.Injected = Fault(r.Header.Get(sandbox.FaultHeader))
	s.mu.Lock()
	s.requests = append(s.requests, record)
	s.mu.Unlock()

	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, record))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failingReader{err}))
	s.handler.ServeHTTP(&responseRecorder{w, s, record}, r)
}

// failingReader ends with err, or with io.EOF if err is nil.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// change changes the record of a request.
func (s *server) change(ctx context.Context, f func(*Request)) {
	if record, ok := ctx.Value(requestKey{}).(*Request); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		f(record)
	}
}

// opened records what the service receives.
func (s *server) opened(r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(payload), failingReader{err}))
	message, sealed := sealhttp.MessageFrom(r.Context())
	s.change(r.Context(), func(record *Request) {
		record.Payload, record.Sealed = payload, sealed
		if v, ok := message.(*sealane.Verified); ok {
			record.Signer = v.Signer()
		}
	})
}

// all returns what was received, the oldest first.
func (s *server) all() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
		list[i].Response = slices.Clone(r.Response)
	}
	return list
}

// responseRecorder records the response before the client can read it.
type responseRecorder struct {
	http.ResponseWriter
	s      *server
	record *Request
}

func (w *responseRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseRecorder) WriteHeader(status int) {
	if reason := w.Header().Get(sandbox.FaultErrorHeader); reason != "" {
		w.s.t.Errorf("sealanetest: the response cannot have the fault %q: %s", w.record.Injected, reason)
	}
	w.s.mu.Lock()
	w.record.Status = status
	w.s.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseRecorder) Write(b []byte) (int, error) {
	w.s.mu.Lock()
	w.record.Response = append(w.record.Response, b...)
	w.s.mu.Unlock()
	return w.ResponseWriter.Write(b)
}

// logReader takes the judgment on a request from the Handler's log, which has the exact
// fault.
type logReader struct {
	s    *server
	next *slog.Logger // nil: none
}

func (h logReader) Enabled(context.Context, slog.Level) bool { return true }
func (h logReader) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h logReader) WithGroup(string) slog.Handler            { return h }

func (h logReader) Handle(ctx context.Context, line slog.Record) error {
	h.s.change(ctx, func(record *Request) {
		line.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "outcome":
				record.Outcome = profile.Outcome(a.Value.String())
			case "fault":
				record.Fault = fault.Code(a.Value.String())
			case "reason":
				record.Reason = a.Value.String()
			}
			return true
		})
	})
	if h.next != nil && h.next.Enabled(ctx, line.Level) {
		return h.next.Handler().Handle(ctx, line)
	}
	return nil
}

// queue holds the faults of the next messages.
type queue struct {
	known func(Fault) bool

	mu    sync.Mutex
	waits []Fault
}

// add fails the test for a fault that the fake does not know.
func (q *queue) add(t testing.TB, faults []Fault) {
	t.Helper()
	for _, f := range faults {
		if !q.known(f) {
			t.Fatalf("sealanetest: no fault %q; see the lists of faults of package sealanetest", f)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waits = append(q.waits, faults...)
}

func (q *queue) next() (Fault, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waits) == 0 {
		return "", false
	}
	f := q.waits[0]
	q.waits = q.waits[1:]
	return f, true
}
