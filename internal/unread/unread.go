// Package unread ends requests that are answered before their bodies were read.
//
// A client that sends its whole body before it reads, as Python's urllib does, loses the answer if the connection
// is closed while it sends: what it sends next is answered with a reset. net/http waits half a second before it
// closes, without reading, and not at all if the request says Connection: close (golang/go#9662).
package unread

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxTime is how long the rest of a body may take to arrive.
const maxTime = 2 * time.Second

// Body is the body of a request of HTTP/1. It records how far it was read.
//
// Close does nothing, so that the rest can be read by [Body.Discard]; net/http closes the body itself when the
// handler returns.
type Body struct {
	io.ReadCloser
	mu          sync.Mutex // held while the body is read
	discarded   bool       // nobody else may read any more
	begun, done atomic.Bool
	waits       bool  // the client waits for 100 Continue before it sends
	outer       *Body // of a handler around this one, which reads the rest
}

type key struct{}

// Track returns r with a [Body], and the body. Of a request without one, or of HTTP/2, which needs none of this,
// it returns r and nil. Where a handler around this one has tracked the body, that one reads the rest.
func Track(r *http.Request) (*http.Request, *Body) {
	if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	if outer, ok := r.Context().Value(key{}).(*Body); ok {
		return r, &Body{outer: outer}
	}
	b := &Body{ReadCloser: r.Body, waits: strings.EqualFold(r.Header.Get("Expect"), "100-continue")}
	r = r.WithContext(context.WithValue(r.Context(), key{}, b)) // a copy: the server's own request stays
	r.Body = b
	return r, b
}

// Read reads from the body. After [Body.Discard] the error is [http.ErrBodyReadAfterClose].
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.discarded {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

func (b *Body) read(p []byte) (int, error) {
	b.begun.Store(true)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.done.Store(true)
	}
	return n, err
}

// Close does nothing.
func (b *Body) Close() error { return nil }

// Unread reports whether a part of the body was not read. b can be nil.
func (b *Body) Unread() bool {
	if b != nil && b.outer != nil {
		b = b.outer
	}
	return b != nil && !b.done.Load()
}

// Close has the connection of a request closed after its answer if a part of the body was not read. Otherwise
// net/http would wait for the rest. It is called before the answer is written, with a request of [Track].
func Close(w http.ResponseWriter, r *http.Request) {
	if b, ok := r.Context().Value(key{}).(*Body); ok && b.Unread() {
		w.Header().Set("Connection", "close")
	}
}

// Discard sends the answer, and then reads the rest of the body and drops it, for two seconds at most. It must be
// called when the answer was written. b can be nil.
func (b *Body) Discard(w http.ResponseWriter) {
	if !b.Unread() || b.outer != nil {
		return
	}
	control := http.NewResponseController(w)
	end := time.Now().Add(maxTime)
	if control.SetReadDeadline(end) != nil || b.waits && !b.begun.Load() || control.Flush() != nil {
		return // no connection, or nothing is being sent; net/http waits for a small rest, until the deadline
	}
	b.mu.Lock() // a reader that is left over ends at the deadline
	defer b.mu.Unlock()
	b.discarded = true
	buffer := make([]byte, 32<<10)
	for time.Now().Before(end) {
		if _, err := b.read(buffer); err != nil {
			return
		}
	}
}
